import { expect, it } from 'vitest';
import { approvalUsesIn, replayStoreIn, type Reservations } from '../src/index.js';

/** A store in memory, with a clock that the test sets, in seconds. */
function storeAt(time: () => number): Reservations {
  const ends = new Map<string, number>();
  return {
    ageMilliseconds: 86_400_000,
    reserve: async (keyId, nonce, milliseconds) => {
      const name = `${keyId} ${nonce}`;
      const isUsed = time() < (ends.get(name) ?? -Infinity);
      if (!isUsed) ends.set(name, time() + milliseconds / 1000);
      return { result: isUsed ? 'replayed' : 'reserved', ageMilliseconds: 86_400_000 };
    },
  };
}

const clockSkewSeconds = 5;

it.each([0, 2, 5])('a proof counts once, also where a process is %d seconds behind [A10]', async (behind) => {
  let time = 1000;
  const store = await replayStoreIn(
    storeAt(() => time),
    { clockSkewSeconds, maxEntriesPerAgent: 10 },
  );
  const proof = { agent: 'agent', keyId: 'key', nonce: 'nonce', created: 1000, until: 1065 };
  expect(await store.reserve({ ...proof, now: time })).toBe('reserved');
  // The last moment at which the other process takes it for fresh.
  time = 1065 + behind - 0.001;
  expect(await store.reserve({ ...proof, now: time - behind })).toBe('replayed');
});

it.each([0, 2, 5])('an approval counts once, also where a process is %d seconds behind [C11]', async (behind) => {
  let time = 1000;
  const uses = approvalUsesIn(storeAt(() => time));
  const approval = { issuer: 'https://id.acme.dev', id: 'approval', issuedAt: 990, clockSkewSeconds, until: 1600 };
  expect(await uses.use({ ...approval, now: time })).toBe('first');
  time = 1600 + behind - 0.001;
  expect(await uses.use({ ...approval, now: time - behind })).toBe('repeated');
});
