import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config-error.js';
import { memoryReplayStore } from '../../src/replay/memory-replay-store.js';

const now = 1_800_000_000;
const until = now + 65;

describe('memoryReplayStore', () => {
  it('A10 a nonce counts once per key', () => {
    const store = memoryReplayStore();
    expect(store.reserve('key', 'nonce', until, now)).toBe('reserved');
    expect(store.reserve('key', 'nonce', until, now)).toBe('replayed');
    expect(store.reserve('other key', 'nonce', until, now)).toBe('reserved');
    expect(store.reserve('key', 'other nonce', until, now)).toBe('reserved');
  });

  it('A10 of 50 concurrent attempts exactly one wins', async () => {
    const store = memoryReplayStore();
    const attempts = Array.from({ length: 50 }, async () => {
      await Promise.resolve();
      return store.reserve('key', 'nonce', until, now);
    });
    const results = await Promise.all(attempts);
    expect(results.filter((result) => result === 'reserved')).toHaveLength(1);
    expect(results.filter((result) => result === 'replayed')).toHaveLength(49);
  });

  it('A10 a nonce is remembered to the very end of its validity, and not much longer', () => {
    const store = memoryReplayStore({ maxEntries: 1 });
    expect(store.reserve('key', 'nonce', until, now)).toBe('reserved');
    expect(store.reserve('key', 'nonce', until, until - 1)).toBe('replayed');
    expect(store.reserve('key', 'nonce', until, until)).toBe('replayed');
    expect(store.reserve('key', 'next', until + 10, until)).toBe('full');
    expect(store.reserve('key', 'next', until + 10, until + 1)).toBe('reserved');
  });

  it('A10 fractions of seconds are rounded towards remembering', () => {
    const store = memoryReplayStore();
    expect(store.reserve('key', 'nonce', now + 1.2, now + 0.1)).toBe('reserved');
    expect(store.reserve('key', 'nonce', now + 1.2, now + 1.19)).toBe('replayed');
  });

  it('A10 a flood is refused; no live nonce is evicted for it', () => {
    const store = memoryReplayStore({ maxEntries: 100, maxEntriesPerKey: 100 });
    for (let index = 0; index < 100; index++) expect(store.reserve('key', `${index}`, until, now)).toBe('reserved');
    for (let index = 100; index < 1000; index++) expect(store.reserve('key', `${index}`, until, now)).toBe('full');
    for (let index = 0; index < 100; index++) expect(store.reserve('key', `${index}`, until, now)).toBe('replayed');
  });

  it('A10 one key holds a quarter of the room at most, and the room of others stays', () => {
    const store = memoryReplayStore({ maxEntries: 100 });
    const last = until + 86_400;
    for (let index = 0; index < 25; index++) expect(store.reserve('greedy', `${index}`, last, now)).toBe('reserved');
    expect(store.reserve('greedy', 'more', last, now)).toBe('full');
    expect(store.reserve('greedy', '0', last, now)).toBe('replayed');
    for (let index = 0; index < 25; index++) expect(store.reserve('modest', `${index}`, until, now)).toBe('reserved');
    expect(store.reserve('greedy', 'more', last, until + 1)).toBe('full');
    expect(store.reserve('modest', 'more', last, until + 1)).toBe('reserved');
    expect(store.reserve('greedy', 'more', last + 60, last + 1)).toBe('reserved');
  });

  it('forgets what no longer counts, whatever the order of expiry', () => {
    const store = memoryReplayStore({ maxEntries: 3, maxEntriesPerKey: 3 });
    store.reserve('key', 'a', now + 30, now);
    store.reserve('key', 'b', now + 10, now);
    store.reserve('key', 'c', now + 20, now);
    expect(store.reserve('key', 'd', now + 50, now + 9)).toBe('full');
    expect(store.reserve('key', 'd', now + 50, now + 11)).toBe('reserved');
    expect(store.reserve('key', 'a', now + 30, now + 11)).toBe('replayed');
    expect(store.reserve('key', 'c', now + 20, now + 11)).toBe('replayed');
  });

  it('A16 costs the same however many different seconds signatures are good until', () => {
    const store = memoryReplayStore();
    for (let index = 0; index < 60_000; index++) store.reserve('key', `${index}`, until + index, now);
    const began = performance.now();
    for (let index = 0; index < 5000; index++) store.reserve('key', `more ${index}`, until, now);
    // A look at each second for each call would take 20 times as long, at least.
    expect(performance.now() - began).toBeLessThan(500);
  });

  it('makes room again after a burst has expired, at once', () => {
    const store = memoryReplayStore({ maxEntries: 10_000, maxEntriesPerKey: 10_000 });
    for (let index = 0; index < 10_000; index++) store.reserve('key', `${index}`, until, now);
    for (let index = 0; index < 10_000; index++) {
      expect(store.reserve('key', `${index}`, until + 100, until + 1)).toBe('reserved');
    }
    expect(store.reserve('key', 'one more', until + 100, until + 1)).toBe('full');
    for (let index = 0; index < 10_000; index++) {
      expect(store.reserve('key', `${index}`, until + 100, until + 2)).toBe('replayed');
    }
  });

  it('A10 a clock set back does not open what was forgotten', () => {
    const store = memoryReplayStore();
    expect(store.reserve('key', 'nonce', until, now)).toBe('reserved');
    expect(store.reserve('key', 'later', until + 3600, now + 3600)).toBe('reserved');
    expect(store.reserve('key', 'nonce', until, now)).toBe('full');
  });

  it('A10 no pair of key id and nonce can be taken for another', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ':', '1', '\u0000'), maxLength: 4 });
    fc.assert(
      fc.property(text, text, text, text, (key1, nonce1, key2, nonce2) => {
        const store = memoryReplayStore();
        store.reserve(key1, nonce1, until, now);
        const same = key1 === key2 && nonce1 === nonce2;
        expect(store.reserve(key2, nonce2, until, now)).toBe(same ? 'replayed' : 'reserved');
      }),
    );
    const store = memoryReplayStore();
    for (const [key, nonce] of [
      ['a:', 'b'],
      ['a', ':b'],
      ['a', 'b'],
      ['1:a', 'b'],
      ['', '1:ab'],
    ] as const) {
      expect(store.reserve(key, nonce, until, now)).toBe('reserved');
    }
  });

  it('behaves like a plain list of reservations', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b'),
      nonce: fc.constantFrom('1', '2', '3', '4'),
      life: fc.integer({ min: 0, max: 5 }),
      pause: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = memoryReplayStore({ maxEntries: 4, maxEntriesPerKey: 3 });
        let model: { key: string; nonce: string; until: number }[] = [];
        let time = now;
        for (const { key, nonce, life, pause } of steps) {
          time += pause;
          model = model.filter((entry) => entry.until >= time);
          const known = model.some((entry) => entry.key === key && entry.nonce === nonce);
          const full = model.length >= 4 || model.filter((entry) => entry.key === key).length >= 3;
          const expected = known ? 'replayed' : full ? 'full' : 'reserved';
          expect(store.reserve(key, nonce, time + life, time)).toBe(expected);
          if (expected === 'reserved') model.push({ key, nonce, until: time + life });
        }
      }),
    );
  });

  it('refuses options and times that mean nothing', () => {
    expect(() => memoryReplayStore({ maxEntries: 0 })).toThrow(ConfigError);
    expect(() => memoryReplayStore({ maxEntriesPerKey: 0.5 })).toThrow(/maxEntriesPerKey/);
    expect(() => memoryReplayStore({ maxEntires: 5 } as object)).toThrow(/maxEntries/);
    expect(() => memoryReplayStore().reserve('key', 'nonce', Number.NaN, now)).toThrow(TypeError);
  });
});
