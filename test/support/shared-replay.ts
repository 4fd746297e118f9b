import { randomBytes } from 'node:crypto';
import type { OneTimeProof, ReplayStore } from '@countersign/core';
import { describe, expect, it, vi } from 'vitest';
import { patiently } from './patiently.js';

/** A store on a server of the test, which is never restarted. */
export interface ReplayWorld {
  open(options?: { readonly maxEntriesPerAgent?: number }): Promise<ReplayStore>;
}

export function freshProof(change: Partial<OneTimeProof> = {}): OneTimeProof {
  const now = change.now ?? Date.now() / 1000;
  const nonce = randomBytes(16).toString('hex');
  return { agent: 'agent', keyId: 'key', nonce, created: now, until: now + 65, now, ...change };
}

/** What every shared replay store must do, whatever its server. */
export function itIsAReplayStore(world: () => ReplayWorld): void {
  describe('as a replay store', () => {
    it('accepts a nonce once, in every process [A10]', async () => {
      const [one, other] = [await world().open(), await world().open()];
      const proof = freshProof();
      expect(await one.reserve(proof)).toBe('reserved');
      expect(await one.reserve(proof)).toBe('replayed');
      expect(await other.reserve(proof)).toBe('replayed');
      expect(await other.reserve({ ...proof, keyId: 'another' })).toBe('reserved');
    });

    it('has one winner when 50 copies come at once [A10]', async () => {
      const stores = await Promise.all([world().open(), world().open()]);
      const proof = freshProof();
      const results = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => await stores[index % 2]!.reserve(proof)),
      );
      expect(results.filter((result) => result === 'reserved')).toHaveLength(1);
      expect(results.filter((result) => result === 'replayed')).toHaveLength(49);
    });

    it('keeps the same nonce of other keys apart, whatever the names contain', async () => {
      const store = await world().open();
      const nonce = `${randomBytes(8).toString('hex')}:{x}\n' " \\ %`;
      for (const keyId of ['a', 'a:', 'a:{x}', "'; DROP", '\u{1f600}']) {
        expect(await store.reserve(freshProof({ keyId, nonce }))).toBe('reserved');
        expect(await store.reserve(freshProof({ keyId, nonce }))).toBe('replayed');
      }
    });

    it('forgets a nonce only after its end', async () => {
      const store = await world().open();
      const proof = freshProof();
      const short = { ...proof, until: proof.now };
      expect(await store.reserve(short)).toBe('reserved');
      expect(await store.reserve(short)).toBe('replayed');
      await vi.waitFor(async () => {
        expect(await store.reserve({ ...short, until: proof.now + 1 })).toBe('reserved');
      }, patiently);
    });

    it('counts lifetimes, not times of the clock that a process has', async () => {
      const store = await world().open();
      const now = Date.now() / 1000 - 1_000_000;
      const proof = freshProof({ now });
      expect(await store.reserve(proof)).toBe('reserved');
      expect(await store.reserve(freshProof({ nonce: proof.nonce, now: now + 2_000_000 }))).toBe('replayed');
    });

    it('refuses an agent whose keys hold too many, and only that agent [A10]', async () => {
      const store = await world().open({ maxEntriesPerAgent: 3 });
      const keyId = randomBytes(8).toString('hex');
      for (let count = 0; count < 3; count++) {
        expect(await store.reserve(freshProof({ keyId: `${keyId}-${count}` }))).toBe('reserved');
      }
      expect(await store.reserve(freshProof({ keyId: `${keyId}-4` }))).toBe('full');
      expect(await store.reserve(freshProof({ agent: 'another', keyId }))).toBe('reserved');
    });

    it('refuses a copy whose key has come to another agent [A10]', async () => {
      const store = await world().open();
      const proof = freshProof();
      expect(await store.reserve(proof)).toBe('reserved');
      expect(await store.reserve({ ...proof, agent: 'another' })).toBe('replayed');
    });

    it('refuses a proof that was made before it began', async () => {
      const store = await world().open();
      const now = Date.now() / 1000;
      expect(await store.reserve(freshProof({ now, created: now - 3600 }))).toBe('before_epoch');
      expect(await store.reserve(freshProof({ now, created: Number.NaN }))).toBe('before_epoch');
    });
  });
}
