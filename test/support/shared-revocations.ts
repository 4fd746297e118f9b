import type { Revocable } from '@countersign/core';
import type { SharedRevocations, SharedRevocationsOptions } from '@countersign/stores';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { patiently } from './patiently.js';

/** What happens to a page that is written back: the network may lose the call, or its answer. */
export type WriteFate = 'sent' | 'call lost' | 'answer lost';

/** A server of the test with a list of revocations. */
export interface RevocationWorld {
  open(options?: SharedRevocationsOptions): Promise<SharedRevocations>;
  /** The same with a client that can lose a page which it writes back. */
  openLosing(fate: () => WriteFate, options?: SharedRevocationsOptions): Promise<SharedRevocations>;
  /** Adds revocations as one write, or many, would have done. */
  fill(names: readonly string[]): Promise<unknown>;
  /** Begins a new list in place of the one that is there. */
  begin(): Promise<unknown>;
  /** Empties the list as an accident would, with its version. */
  empty(): Promise<unknown>;
  /** Takes a backup. The function that it gives sets the list back to it, in one step. */
  backUp(): Promise<() => Promise<unknown>>;
}

export function revokedIn(source: SharedRevocations, ...named: readonly Revocable[]): Revocable | undefined {
  return source.findRevoked(named, Date.now() / 1000) as Revocable | undefined;
}

/** Sends a page, or loses it. */
export async function lossy<Answer>(fate: WriteFate, send: () => Promise<Answer>): Promise<Answer> {
  if (fate === 'call lost') throw new Error(fate);
  const answer = await send();
  if (fate === 'answer lost') throw new Error(fate);
  return answer;
}

/** Of a list that is written back in three pages. */
const threePages = 5000;

let names = 0;
const freshNames = (length: number): readonly string[] => {
  const batch = names++;
  return Array.from({ length }, (_, number) => JSON.stringify(['delegation', `${process.pid}-${batch}-${number}`]));
};
export const freshAgent = (): { readonly agent: string } => ({ agent: `agent-${process.pid}-${names++}` });

/** What every shared list of revocations must do, whatever its server. */
export function itIsAListOfRevocations(world: () => RevocationWorld): void {
  const opened: SharedRevocations[] = [];
  const open = async (options?: SharedRevocationsOptions): Promise<SharedRevocations> => {
    const source = await world().open(options);
    opened.push(source);
    return source;
  };
  const openLosing = async (fate: () => WriteFate, options?: SharedRevocationsOptions): Promise<SharedRevocations> => {
    const source = await world().openLosing(fate, options);
    opened.push(source);
    return source;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });

  describe('as a list of revocations', () => {
    it('is in force at once here, and soon in other processes and in new ones', async () => {
      const [one, other] = [await open(), await open()];
      const agent = freshAgent();
      expect(revokedIn(one, agent)).toBeUndefined();
      await one.revoke(agent);
      expect(revokedIn(one, freshAgent(), agent)).toBe(agent);
      await vi.waitFor(() => expect(revokedIn(other, agent)).toBe(agent), patiently);
      expect(revokedIn(await open(), agent)).toBe(agent);
      await other.restore(agent);
      await vi.waitFor(() => expect(revokedIn(one, agent)).toBeUndefined(), patiently);
      expect(revokedIn(await open(), agent)).toBeUndefined();
    });

    it('keeps the later end of two, and forgets what has ended', async () => {
      const source = await open();
      const now = Math.floor(Date.now() / 1000);
      const agent = freshAgent();
      await source.revoke({ ...agent, until: now + 1000 });
      await source.revoke({ ...agent, until: now + 10 });
      expect(source.findRevoked([agent], now + 999)).toBe(agent);
      expect(source.findRevoked([agent], now + 1000)).toBeUndefined();
      await source.revoke(agent);
      await source.revoke({ ...agent, until: now + 10 });
      expect(source.findRevoked([agent], now + 1e9)).toBe(agent);
      await source.restore(agent);
      await source.revoke({ ...agent, until: now + 10 });
      expect(source.findRevoked([agent], now + 11)).toBeUndefined();
    });

    it('loses no revocation when many are made at once', async () => {
      const [one, other] = [await open(), await open()];
      const agents = Array.from({ length: 40 }, freshAgent);
      await Promise.all(agents.map((agent, index) => (index % 2 === 0 ? one : other).revoke(agent)));
      const third = await open();
      for (const source of [one, other, third]) {
        await vi.waitFor(() => {
          expect(agents.filter((agent) => revokedIn(source, agent) === undefined)).toEqual([]);
        }, patiently);
      }
    });

    it('freezes an agent, a tenant and everything, apart from revocations', async () => {
      const [one, other] = [await open(), await open()];
      const agent = freshAgent();
      const user = { subject: 'acme:alice', issuer: 'https://id.acme.dev' };
      await one.revoke(agent);
      await one.freeze(agent);
      await one.unfreeze(agent);
      expect(revokedIn(one, agent)).toBe(agent);
      await one.restore(agent);
      const cases = [
        [{ agent: agent.agent }, agent],
        [{ tenant: 'acme:' }, user],
        [{ tenant: 'https://id.acme.dev' }, user],
        [{ everything: true }, user],
      ] as const;
      for (const [what, named] of cases) {
        await vi.waitFor(() => expect(revokedIn(other, named)).toBeUndefined(), patiently);
        await one.freeze(what);
        expect(revokedIn(one, named)).toBe(named);
        await vi.waitFor(() => expect(revokedIn(other, named)).toBe(named), patiently);
        await one.unfreeze(what);
        await vi.waitFor(() => expect(revokedIn(other, named)).toBeUndefined(), patiently);
      }
      expect(revokedIn(one, { agent: 'acme' }, { subject: 'acm' })).toBeUndefined();
    });

    it('throws a ConfigError for what does not say clearly what', async () => {
      const source = await open();
      await expect(source.revoke({ agnet: 'a' } as never)).rejects.toMatchObject({ name: 'ConfigError' });
      await expect(source.revoke({ agent: 'a', until: 1 })).rejects.toMatchObject({ name: 'ConfigError' });
      await expect(source.restore({} as never)).rejects.toMatchObject({ name: 'ConfigError' });
      for (const what of [{}, { everything: false }, { tenant: '' }, { agent: 'a', tenant: 'b' }, { all: true }]) {
        await expect(source.freeze(what as never)).rejects.toMatchObject({ name: 'ConfigError' });
      }
    });

    it('is written back by a process that knows it when the store has lost it', async () => {
      const told: string[] = [];
      const source = await open({ onTrouble: (message) => void told.push(message) });
      const [before, after] = [freshAgent(), freshAgent()];
      await source.revoke(before);
      await source.freeze({ tenant: 'lost:' });
      await world().empty();
      await source.revoke(after);
      const second = await open();
      expect(revokedIn(second, before)).toBe(before);
      expect(revokedIn(second, after)).toBe(after);
      expect(revokedIn(second, { subject: 'lost:x' })).toBeDefined();
      expect(told.join()).toContain('has lost revocations');
      await source.unfreeze({ tenant: 'lost:' });
    });

    it.each([1, 4])(
      'is written back when it was set back and %i others wrote before the process asked again',
      async (count) => {
        const toBefore = await world().backUp();
        const other = await open();
        const theirs = Array.from({ length: count }, freshAgent);
        for (const agent of theirs) await other.revoke(agent);
        await other.close();
        const toTheirs = await world().backUp();
        await toBefore();
        const told: string[] = [];
        const source = await open({ onTrouble: (message) => void told.push(message) });
        const mine = freshAgent();
        await source.revoke(mine);
        // The versions in it are the same as, or greater than, those that the process knows.
        await toTheirs();
        await vi.waitFor(() => {
          expect(theirs.filter((agent) => revokedIn(source, agent) === undefined)).toEqual([]);
        }, patiently);
        const started = await open();
        expect([mine, ...theirs].filter((agent) => revokedIn(started, agent) === undefined)).toEqual([]);
        expect(told.join()).toContain('has lost revocations');
      },
    );

    it('is written back if it is long, and told of once', async () => {
      await world().fill(freshNames(150_000));
      const told: string[] = [];
      const source = await open({ onTrouble: (message) => void told.push(message) });
      const known = source.list();
      await world().empty();
      await vi.waitFor(async () => expect((await open()).list()).toHaveLength(known.length), patiently);
      await vi.waitFor(() => expect(revokedIn(source, freshAgent())).toBeUndefined(), patiently);
      const agent = freshAgent();
      await source.revoke(agent);
      expect(revokedIn(source, agent)).toBe(agent);
      expect(told.filter((message) => message.includes('has lost revocations'))).toHaveLength(1);
      await world().empty();
    });

    it.each([
      { of: 1, written: 1, lost: 1 },
      { of: threePages, written: 3, lost: 1 },
      { of: threePages, written: 3, lost: 2 },
      { of: threePages, written: 3, lost: 3 },
    ])(
      'is not written back again when the answer to page $lost of $written was lost',
      async ({ of, written, lost }) => {
        await world().begin();
        const added = freshNames(of);
        await world().fill(added);
        const told: string[] = [];
        let writes = 0;
        const source = await openLosing(() => ((writes += 1) === lost ? 'answer lost' : 'sent'), {
          onTrouble: (message) => void told.push(message),
        });
        await world().empty();
        await vi.waitFor(async () => expect((await open()).list()).toHaveLength(of), patiently);
        await vi.waitFor(async () => await source.revoke(freshAgent()), patiently);
        expect(writes).toBe(written);
        expect(told.filter((message) => message.includes('has lost revocations'))).toHaveLength(1);
        expect(source.list()).toHaveLength(of + 1);
      },
    );

    it('starts no process between two pages of a write back, and another finishes what a process has left', async () => {
      await world().begin();
      await world().fill(freshNames(threePages));
      let isDead = false;
      let written = 0;
      const quiet = { onTrouble: () => {} };
      const dying = await openLosing(() => (isDead || ++written > 2 ? 'call lost' : 'sent'), quiet);
      let isHeld = true;
      const other = await openLosing(() => (isHeld ? 'call lost' : 'sent'), quiet);
      await world().empty();
      await vi.waitFor(() => expect(written).toBeGreaterThan(2), patiently);
      isDead = true;
      await dying.close();
      await expect(open()).rejects.toThrow('has not come to its end');
      await expect(other.revoke(freshAgent())).rejects.toThrow();
      await expect(open()).rejects.toThrow('has not come to its end');

      isHeld = false;
      await vi.waitFor(async () => expect((await open()).list()).toHaveLength(threePages), patiently);
      await vi.waitFor(() => expect(revokedIn(other, freshAgent())).toBeUndefined(), patiently);
    });

    it('tells of no loss when many write at once', async () => {
      const told: string[] = [];
      const opened = await Promise.all(
        Array.from({ length: 3 }, async () => await open({ onTrouble: (message) => void told.push(message) })),
      );
      await Promise.all(
        opened.flatMap((source) =>
          Array.from({ length: 10 }, async () => {
            const agent = freshAgent();
            await source.revoke(agent);
            await source.restore(agent);
            expect(revokedIn(source, agent)).toBeUndefined();
          }),
        ),
      );
      expect(told).toEqual([]);
    });

    it('is not begun anew by the start of a process when the store has lost it', async () => {
      await world().empty();
      await expect(open()).rejects.toMatchObject({ name: 'ConfigError' });
    });
  });
}
