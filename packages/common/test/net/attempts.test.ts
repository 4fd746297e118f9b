import { describe, expect, it } from 'vitest';
import { Attempts, elapsedSince } from '../../src/net/attempts.js';

function counted() {
  const attempts = new Attempts();
  const begun: number[] = [];
  let failure: string | undefined;
  return {
    attempts,
    begun,
    fail: (how: string | undefined) => {
      failure = how;
    },
    run: (reason: 'due' | 'miss', now: number) =>
      attempts.run(reason, now, async () => {
        begun.push(now);
        return failure;
      }),
  };
}

describe('Attempts', () => {
  it('pause for 1 second when one is due, and for 30 after a miss', async () => {
    const { run, begun } = counted();
    for (const now of [100, 100.5, 101]) await run('due', now);
    for (const now of [102, 130, 131]) await run('miss', now);
    expect(begun).toEqual([100, 101, 131]);
  });

  it('pause for 5 seconds after a failure, whatever asks', async () => {
    const { run, begun, fail, attempts } = counted();
    fail('HTTP 500');
    await run('due', 100);
    expect([attempts.failure, attempts.isDown(129), attempts.isDown(130)]).toEqual(['HTTP 500', true, false]);
    fail(undefined);
    await run('due', 104);
    await run('miss', 105);
    expect(begun).toEqual([100, 105]);
    expect([attempts.failure, attempts.isDown(105)]).toEqual([undefined, false]);
  });

  it('are one at a time: who asks meanwhile waits for the same one', async () => {
    const { run, begun } = counted();
    await Promise.all([run('due', 100), run('due', 200), run('miss', 300)]);
    expect(begun).toEqual([100]);
  });

  it('begin at once when the clock was set back', async () => {
    const { run, begun } = counted();
    await run('miss', 100);
    await run('miss', 99);
    expect(begun).toEqual([100, 99]);
    expect(elapsedSince(100, 99)).toBe(Infinity);
  });

  it('can be made again after one that threw', async () => {
    const { run, begun, attempts } = counted();
    const thrown = attempts.run('due', 100, async () => {
      throw new Error('a bug');
    });
    await expect(thrown).rejects.toThrow('a bug');
    await run('due', 101);
    expect(begun).toEqual([101]);
  });
});
