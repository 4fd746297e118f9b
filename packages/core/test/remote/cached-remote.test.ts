import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CachedRemote, loadJson } from '../../src/remote/cached-remote.js';
import type { RemoteJson } from '../../src/remote/remote-json.js';

/** A remote whose answers the test controls. */
function remote(onRefresh?: () => void): {
  cache: CachedRemote<unknown>;
  fetches: () => number;
  answer: (json: RemoteJson) => void;
} {
  let next: RemoteJson = { ok: false, problem: 'down' };
  let count = 0;
  const cache = new CachedRemote<unknown>({
    load: loadJson(
      async () => {
        count += 1;
        return next;
      },
      (json) => (json === 'bad' ? { ok: false, problem: 'unreadable' } : { ok: true, value: json }),
    ),
    maxAgeSeconds: 300,
    maxStaleSeconds: 3600,
    ...(onRefresh && { onRefresh }),
  });
  return {
    cache,
    fetches: () => count,
    answer: (json) => {
      next = json;
    },
  };
}

const up = (json: unknown): RemoteJson => ({ ok: true, json });
const down: RemoteJson = { ok: false, problem: 'down' };
const t = 1_800_000_000;

describe('CachedRemote', () => {
  it('fetches at first use, and again only after half of the age', async () => {
    const { cache, fetches, answer } = remote();
    answer(up('one'));
    expect(fetches()).toBe(0);
    for (const now of [t, t + 1, t + 150])
      expect(await cache.current(now)).toMatchObject({ kind: 'held', value: 'one' });
    expect(fetches()).toBe(1);
  });

  it('refreshes early in the background, so that no request waits', async () => {
    const { cache, fetches, answer } = remote();
    answer(up('one'));
    await cache.current(t);
    answer(up('two'));
    expect(await cache.current(t + 151)).toMatchObject({ value: 'one', generation: 1 });
    expect(fetches()).toBe(2);
    await setImmediate();
    expect(await cache.current(t + 152)).toMatchObject({ value: 'two', generation: 2 });
  });

  it('drops a removed entry at the maximum age [A14]', async () => {
    const { cache, answer } = remote();
    answer(up('one'));
    await cache.current(t);
    answer(up('none'));
    expect(await cache.current(t + 301)).toMatchObject({ value: 'none' });
  });

  it('keeps its content after a failed refresh until the maximum age [A14]', async () => {
    const { cache, answer } = remote();
    answer(up('one'));
    await cache.current(t);
    for (const failure of [down, up('bad')]) {
      answer(failure);
      expect(await cache.current(t + 301)).toMatchObject({ value: 'one', generation: 1 });
      expect(await cache.current(t + 3600)).toMatchObject({ value: 'one' });
    }
    expect(await cache.current(t + 3601)).toMatchObject({ kind: 'unavailable', cause: expect.any(String) });
    answer(up('two'));
    expect(await cache.current(t + 3610)).toMatchObject({ value: 'two' });
  });

  it('drops a removed entry at the maximum age after a temporary failure [A14]', async () => {
    const { cache, answer } = remote();
    answer(up('one'));
    await cache.current(t);
    answer(down);
    await cache.current(t + 301);
    answer(up('none'));
    expect(await cache.current(t + 3000)).toMatchObject({ value: 'none' });
  });

  it('is unavailable when never fetched and down, and retries every five seconds at most', async () => {
    const { cache, fetches, answer } = remote();
    for (let now = t; now < t + 5; now += 0.1)
      expect(await cache.current(now)).toEqual({ kind: 'unavailable', cause: 'down' });
    expect(fetches()).toBe(1);
    answer(up('one'));
    expect(await cache.current(t + 5)).toMatchObject({ value: 'one' });
    expect(fetches()).toBe(2);
  });

  it('fetches once per cool-down for a flood of misses [A14]', async () => {
    const { cache, fetches, answer } = remote();
    answer(up('one'));
    await cache.current(t);
    for (let now = t; now < t + 120; now += 0.5) await cache.afterMiss(now);
    expect(fetches()).toBe(1 + 3);
  });

  it('reports a missing entry as unavailable, not unknown, after a failed refresh [A14]', async () => {
    const { cache, fetches, answer } = remote();
    answer(up('one'));
    await cache.current(t);
    answer(down);
    for (const now of [t + 30, t + 31, t + 34.9]) {
      expect(await cache.afterMiss(now)).toEqual({ kind: 'unavailable', cause: 'down' });
      expect(await cache.current(now)).toMatchObject({ value: 'one' });
    }
    expect(fetches()).toBe(2);
    answer(up('two'));
    expect(await cache.afterMiss(t + 35)).toMatchObject({ kind: 'unavailable' });
    await setImmediate();
    expect(await cache.afterMiss(t + 36)).toMatchObject({ value: 'two' });
  });

  it('lets no miss wait for a server that hangs and failed a moment ago [A14, I6]', async () => {
    const answers: RemoteJson[] = [up('one'), down];
    const cache = new CachedRemote<unknown>({
      load: loadJson(
        async () => answers.shift() ?? (await new Promise<RemoteJson>(() => {})),
        (value) => ({ ok: true, value }),
      ),
      maxAgeSeconds: 300,
      maxStaleSeconds: 3600,
    });
    await cache.current(t);
    await cache.afterMiss(t + 30);
    for (const now of [t + 35, t + 36, t + 40])
      expect(await cache.afterMiss(now)).toEqual({ kind: 'unavailable', cause: 'down' });
    expect(await cache.current(t + 41)).toMatchObject({ value: 'one' });
  });

  it('shares one fetch among concurrent requests [A14]', async () => {
    const { cache, fetches, answer } = remote();
    answer(up('one'));
    const held = await Promise.all(Array.from({ length: 50 }, async () => cache.current(t)));
    expect(held.every(({ kind }) => kind === 'held')).toBe(true);
    await Promise.all(Array.from({ length: 50 }, () => cache.afterMiss(t + 40)));
    expect(fetches()).toBe(2);
  });

  it('does not delay every request when the server hangs', async () => {
    const answers: RemoteJson[] = [up('one'), down];
    const cache = new CachedRemote<unknown>({
      load: loadJson(
        async () => answers.shift() ?? (await new Promise<RemoteJson>(() => {})),
        (value) => ({ ok: true, value }),
      ),
      maxAgeSeconds: 300,
      maxStaleSeconds: 3600,
    });
    await cache.current(t);
    await cache.current(t + 301);
    expect(await cache.current(t + 307)).toMatchObject({ value: 'one' });
  });

  it('changes its generation only with its content', async () => {
    const { cache, answer } = remote();
    answer(up({ keys: [1] }));
    await cache.current(t);
    expect(await cache.afterMiss(t + 40)).toMatchObject({ generation: 1 });
    answer(up({ keys: [2] }));
    expect(await cache.afterMiss(t + 80)).toMatchObject({ generation: 2 });
  });

  it('does not trust an age when the clock was set back', async () => {
    const { cache, fetches, answer } = remote();
    answer(up('one'));
    await cache.current(t);
    answer(up('two'));
    expect(await cache.current(t - 1000)).toMatchObject({ value: 'two' });
    expect(fetches()).toBe(2);
  });
});
