import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { deferred } from '../../../../test/support/deferred.js';
import { fewOfEach } from '../../src/time/few-of-each.js';

const waiter = (key: string) => ({ key, seconds: 10, late: () => 'late' });

it('begins a work of a key when few of that key are under way, in the order of the calls', async () => {
  const inLine = fewOfEach(2);
  const held = [deferred(), deferred(), deferred(), deferred()];
  const begun: string[] = [];
  const run = (key: string, place: number): Promise<string> =>
    inLine(waiter(key), async () => {
      begun.push(`${key}${place}`);
      await held[place]?.promise;
      return key;
    });
  const all = [run('a', 0), run('a', 1), run('a', 2), run('a', 3), run('b', 0)];
  await Promise.resolve();
  expect(begun).toEqual(['a0', 'a1', 'b0']);
  held[1]?.resolve();
  await all[1];
  await setImmediate();
  expect(begun).toEqual(['a0', 'a1', 'b0', 'a2']);
  for (const one of held) one.resolve();
  expect(await Promise.all(all)).toEqual(['a', 'a', 'a', 'a', 'b']);
  expect(begun.at(-1)).toBe('a3');
});

it('gives the turn of a work that failed to the next one', async () => {
  const inLine = fewOfEach(1);
  const failing = inLine(waiter('a'), () => Promise.reject(new Error('failed')));
  const next = inLine(waiter('a'), async () => 'done');
  await expect(failing).rejects.toThrow('failed');
  expect(await next).toBe('done');
});

it('does not run what has waited too long, and keeps no turn for it', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const inLine = fewOfEach(1);
  const held = deferred();
  const first = inLine(waiter('a'), () => held.promise);
  const work = vi.fn(async () => 'done');
  const waiting = inLine(waiter('a'), work);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await waiting).toBe('late');
  held.resolve();
  await first;
  expect(work).not.toHaveBeenCalled();
  expect(await inLine(waiter('a'), work)).toBe('done');
});
