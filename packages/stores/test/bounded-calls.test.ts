import { expect, it } from 'vitest';
import { deferred } from '../../../test/support/deferred.js';
import { BoundedCalls } from '../src/index.js';

it('refuses further calls while 10,000 wait, also after their time limit, until they have ended', async () => {
  const calls = new BoundedCalls('the store', 0.01);
  const answer = deferred();
  const waiting = Array.from({ length: 10_000 }, async () => await calls.run(() => answer.promise));
  const late = await Promise.allSettled(waiting);
  expect(late.every(({ status }) => status === 'rejected')).toBe(true);
  await expect(calls.run(async () => 'now')).rejects.toThrow('10000 calls wait for the store');
  answer.resolve();
  await answer.promise;
  await expect(calls.run(async () => 'now')).resolves.toBe('now');
});
