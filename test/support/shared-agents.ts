import type { AgentRegistration } from '@countersign/core';
import type { SharedAgents } from '@countersign/stores';
import { expect, it } from 'vitest';
import { keyNamed } from './keys.js';

export interface Registry {
  /** Begins the list unless it was begun; says whether it has. */
  readonly begin: () => Promise<boolean>;
  readonly open: () => Promise<SharedAgents>;
  /** Ways to lose agents. */
  readonly losses: Readonly<Record<string, () => Promise<unknown>>>;
}

/** What every shared registry must do, whatever its server. */
export function itIsARegistry({ begin, open, losses }: Registry): void {
  const [first, second] = [keyNamed('shared-1'), keyNamed('shared-2')];

  it('finds an agent by each of its keys in every process, until it is removed', async () => {
    const [one, other] = [await open(), await open()];
    await one.put({
      id: 'agent-1',
      keys: [{ publicKey: first.publicBase64 }, { jwk: second.publicJwk }],
      roles: ['r'],
    });
    for (const { thumbprint } of [first, second]) {
      expect(await other.findByThumbprint(thumbprint)).toMatchObject({
        kind: 'found',
        agent: { id: 'agent-1', roles: ['r'] },
      });
    }
    expect(await other.statusOf('agent-1')).toBe('active');
    await other.put({ agent_id: 'agent-1', public_key: first.publicBase64, status: 'suspended' });
    expect(await one.findByThumbprint(second.thumbprint)).toMatchObject({ kind: 'unknown' });
    expect(await one.statusOf('agent-1')).toBe('suspended');
    await one.remove('agent-1');
    expect(await other.findByThumbprint(first.thumbprint)).toMatchObject({ kind: 'unknown' });
    expect(await other.statusOf('agent-1')).toBe('unknown');
  });

  it('finds an agent by its key however the entry spells its members [A11]', async () => {
    const agents = await open();
    const spellings = [
      { id: 'agent-5', public_key: first.publicBase64 },
      { agent_id: 'agent-5', publicKey: first.publicBase64 },
      { agent_id: 'agent-5', jwk: first.publicJwk },
      { agent_id: 'agent-5', keys: [{ public_key: first.publicBase64 }] },
    ] as unknown as AgentRegistration[];
    for (const entry of spellings) {
      await agents.put(entry);
      expect(await agents.findByThumbprint(first.thumbprint)).toMatchObject({ agent: { id: 'agent-5' } });
      await expect(agents.put({ id: 'agent-6', publicKey: first.publicBase64 })).rejects.toThrow();
    }
    await agents.remove('agent-5');
  });

  it('refuses the key of another agent, and changes nothing then [A11]', async () => {
    const agents = await open();
    await agents.put({ id: 'agent-2', publicKey: first.publicBase64 });
    await expect(agents.put({ id: 'agent-3', publicKey: first.publicBase64 })).rejects.toMatchObject({
      name: 'SharedStoreUnavailable',
      message: 'another agent has one of its keys',
    });
    expect(await agents.statusOf('agent-3')).toBe('unknown');
    expect(await agents.findByThumbprint(first.thumbprint)).toMatchObject({ agent: { id: 'agent-2' } });
    await agents.remove('agent-2');
    await agents.put({ id: 'agent-3', publicKey: first.publicBase64 });
    await agents.remove('agent-3');
    await expect(agents.put({ id: 'agent-4', publicKey: 'no key' })).rejects.toMatchObject({ name: 'ConfigError' });
    const twice = { id: 'agent-4', keys: [{ publicKey: first.publicBase64 }, { jwk: first.publicJwk }] };
    await expect(agents.put(twice)).rejects.toMatchObject({
      name: 'ConfigError',
      message: "put: agent 'agent-4' has the same key twice.",
    });
    expect(await agents.statusOf('agent-4')).toBe('unknown');
  });

  it('keeps an entry with any characters, also without keys', async () => {
    const agents = await open();
    const id = String.raw`agent-'"\x27$1$$;--é🔑`;
    const entry = { id, roles: [`$2 ' ${id}`], owner: '🔑', keys: [] };
    await agents.put(entry);
    expect(await agents.statusOf(id)).toBe('active');
    await agents.put({ ...entry, keys: [{ publicKey: first.publicBase64 }] });
    expect(await agents.findByThumbprint(first.thumbprint)).toMatchObject({
      agent: { id, roles: entry.roles, owner: entry.owner },
    });
    await agents.remove(id);
    expect(await agents.statusOf(id)).toBe('unknown');
  });

  it.each(Object.keys(losses))(
    'is an outage when its agents are lost by %s, until it is begun again [A11]',
    async (loss) => {
      const agents = await open();
      const suspended = { id: 'agent-7', publicKey: first.publicBase64, status: 'suspended' } as const;
      await agents.put(suspended);
      expect(await begin()).toBe(false);
      expect(await agents.statusOf('agent-7')).toBe('suspended');

      await losses[loss]!();
      expect(await agents.findByThumbprint(first.thumbprint)).toMatchObject({
        kind: 'unavailable',
        reported: expect.stringContaining('holds no list of agents'),
      });
      expect(await agents.findByThumbprint(second.thumbprint)).toMatchObject({ kind: 'unavailable' });
      await expect(agents.put(suspended)).rejects.toThrow('holds no list of agents');
      await expect(agents.remove('agent-7')).rejects.toThrow('holds no list of agents');

      expect(await begin()).toBe(true);
      await agents.put(suspended);
      expect(await agents.statusOf('agent-7')).toBe('suspended');
      await agents.remove('agent-7');
      expect(await agents.statusOf('agent-7')).toBe('unknown');
      expect(await agents.statusOf('')).toBe('unknown');
    },
  );
}
