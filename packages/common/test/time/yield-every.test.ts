import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { eachInTurn, yieldEvery } from '../../src/time/yield-every.js';

it('all long work takes turns, one piece each time the event loop comes around', async () => {
  const done: string[] = [];
  const rounds: number[] = [];
  const works = ['a', 'b', 'c'].map(
    async (name) => await eachInTurn([1, 2, 3, 4], yieldEvery(0), (step) => void done.push(`${name}${step}`)),
  );
  while (done.length < 12) {
    rounds.push(done.length);
    await setImmediate();
  }
  await Promise.all(works);
  expect(done).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'b3', 'c3', 'a4', 'b4', 'c4']);
  for (const [at, count] of rounds.entries()) expect(count - (rounds[at - 1] ?? 3)).toBeLessThanOrEqual(1);
});

it('work that begins while other work waits gives way at once', async () => {
  const first = yieldEvery(0);
  const pause = first();
  const second = yieldEvery(60_000);
  expect(second()).toBeInstanceOf(Promise);
  await pause;
  await second();
  expect(second()).toBeUndefined();
});
