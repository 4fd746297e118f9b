import { describe, expect, it } from 'vitest';
import { deferred } from '../../../../test/support/deferred.js';
import { oneAtATime } from '../../src/time/one-at-a-time.js';

describe('oneAtATime', () => {
  it('begins a work after the one before has settled, also if that one failed', async () => {
    const inTurn = oneAtATime();
    const held = deferred();
    const begun: number[] = [];
    const first = inTurn(async () => {
      begun.push(1);
      await held.promise;
      throw new Error('failed');
    });
    const second = inTurn(async () => begun.push(2));
    await Promise.resolve();
    expect(begun).toEqual([1]);
    held.resolve();
    await expect(first).rejects.toThrow('failed');
    expect(await second).toBe(2);
  });
});
