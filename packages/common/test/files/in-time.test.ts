import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { deferred } from '../../../../test/support/deferred.js';
import { hungPipe, pendingFileOperations } from '../../../../test/support/hung-open.js';
import { inTime } from '../../src/files/in-time.js';

/** Three steps of eight seconds, and one that ends with `end`. */
function inSteps(end: Promise<void>): (step: () => void) => Promise<string> {
  return async (step) => {
    for (let count = 0; count < 3; count++) {
      await new Promise((resolve) => setTimeout(resolve, 8000));
      step();
    }
    await end;
    return 'read';
  };
}

describe('inTime', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('gives up a path that hangs, and does not touch it again before it answers [K5]', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const hung = deferred();
    const reading = expect(inTime('/net/a', () => hung.promise)).rejects.toThrow(
      "'/net/a' does not answer within 10 s",
    );
    await vi.advanceTimersByTimeAsync(10_000);
    await reading;
    const work = vi.fn(async () => 'read');
    await expect(inTime('/net/a', work)).rejects.toThrow("'/net/a' still does not answer");
    expect(work).not.toHaveBeenCalled();
    expect(await inTime('/net/b', work)).toBe('read');
    hung.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(await inTime('/net/a', work)).toBe('read');
  });

  it('waits for an operation that goes on step by step, and says that others are not read meanwhile [K5]', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const ends = [deferred(), deferred()];
    const results = ['/net/a', '/net/b'].map((path, at) => inTime(path, inSteps(ends[at]!.promise)));
    const behind = expect(inTime('/net/c', async () => 'read')).rejects.toThrow(
      "'/net/c' is not read while '/net/a' and '/net/b' do not answer",
    );
    const again = expect(inTime('/net/a', async () => 'read')).rejects.toThrow("'/net/a' does not answer within 10 s");
    await vi.advanceTimersByTimeAsync(24_000);
    await behind;
    await again;
    ends[0]!.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(await results[0]).toBe('read');
    const late = expect(results[1]).rejects.toThrow("'/net/b' does not answer within 10 s");
    await vi.advanceTimersByTimeAsync(10_000);
    await late;
    ends[1]!.resolve();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await inTime('/net/b', async () => 'read')).toBe('read');
  });

  it('begins one operation on a path, and two in all, and the others in turn [K5]', async () => {
    const [one, two] = [deferred(), deferred()];
    const begun: string[] = [];
    const work = (name: string, end: Promise<void>) => async (): Promise<string> => {
      begun.push(name);
      await end;
      return name;
    };
    const results = [
      inTime('/net/a', work('a1', one.promise)),
      inTime('/net/a', work('a2', two.promise)),
      inTime('/net/b', work('b', two.promise)),
      inTime('/net/c', work('c', two.promise)),
    ];
    await setImmediate();
    expect(begun).toEqual(['a1', 'b']);
    one.resolve();
    await setImmediate();
    expect(begun).toEqual(['a1', 'b', 'a2']);
    two.resolve();
    expect(await Promise.all(results)).toEqual(['a1', 'a2', 'b', 'c']);
  });

  it('continues after an operation failed', async () => {
    for (const path of ['/net/a', '/net/b', '/net/c', '/net/a'])
      await expect(inTime(path, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  });

  it.skipIf(process.platform === 'win32')(
    'occupies two threads at most while a mount hangs, also when many readers time out [K5]',
    async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const pipe = hungPipe();
      const read = async (path: string): Promise<string> => {
        await inTime(path, pipe.hang);
        return 'read';
      };
      await setImmediate();
      const before = pendingFileOperations();
      for (let round = 0; round < 3; round++) {
        const reading = Promise.allSettled(['/net/a', '/net/a', '/net/b', '/net/c', '/net/c'].map(read));
        await vi.advanceTimersByTimeAsync(10_000);
        const reasons = (await reading).map((result) => (result.status === 'rejected' ? String(result.reason) : ''));
        const slow = round === 0 ? 'does not answer within 10 s' : 'still does not answer';
        const behind = `Error: '/net/c' is not read while '/net/a' and '/net/b' do not answer`;
        expect(reasons).toEqual([
          `Error: '/net/a' ${slow}`,
          `Error: '/net/a' ${slow}`,
          `Error: '/net/b' ${slow}`,
          behind,
          behind,
        ]);
        expect(pendingFileOperations()).toBe(before + 2);
      }
      // A third thread reads, the pool is not exhausted.
      expect((await stat(tmpdir())).isDirectory()).toBe(true);
      pipe.release();
      await vi.waitFor(() => expect(pendingFileOperations()).toBe(before));
      await setImmediate();
      for (const path of ['/net/a', '/net/b', '/net/c']) expect(await read(path)).toBe('read');
    },
  );
});
