import { describe, expect, it } from 'vitest';
import { changeInTime } from '../src/changes.js';

const time = async () => 5_000_000;
const slowTime = async () => {
  const until = performance.now() + 50;
  while (performance.now() < until);
  return await time();
};
const fail = async () => await Promise.reject(new Error('lost'));

describe('changeInTime', () => {
  it('ends a second after the call, however long the clock of the store took to answer', async () => {
    expect(await changeInTime(slowTime, async (deadline) => deadline)).toBeLessThanOrEqual(5_000_950);
  });

  it('rejects at once what the store refused, and otherwise only once it is too late', async () => {
    for (const isAnswer of [true, false]) {
      const askedAt = performance.now();
      await expect(changeInTime(time, fail, () => isAnswer)).rejects.toThrow('lost');
      expect(performance.now() - askedAt > 990).toBe(!isAnswer);
    }
  });
});
