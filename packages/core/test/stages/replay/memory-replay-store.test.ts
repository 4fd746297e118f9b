import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ConfigError } from '@countersign/common';
import {
  type MemoryReplayStore,
  type MemoryReplayStoreOptions,
  memoryReplayStore,
} from '../../../src/stages/replay/memory-replay-store.js';
import type { ReplayResult } from '../../../src/stages/replay/store.js';

const now = 1_800_000_000;
const until = now + 65;

/** A store that began at `now`. */
const memory = (options: MemoryReplayStoreOptions = {}): MemoryReplayStore =>
  memoryReplayStore({ clock: () => now * 1000, ...options });

function reserve(
  store: MemoryReplayStore,
  keyId: string,
  nonce: string,
  validUntil: number,
  at: number,
  created: number = at,
): ReplayResult {
  return store.reserve({ keyId, nonce, created, until: validUntil, now: at });
}

describe('memoryReplayStore', () => {
  it('reserves a nonce once per key [A10]', () => {
    const store = memory();
    expect(reserve(store, 'key', 'nonce', until, now)).toBe('reserved');
    expect(reserve(store, 'key', 'nonce', until, now)).toBe('replayed');
    expect(reserve(store, 'other key', 'nonce', until, now)).toBe('reserved');
    expect(reserve(store, 'key', 'other nonce', until, now)).toBe('reserved');
  });

  it('accepts exactly one of 50 concurrent attempts [A10]', async () => {
    const store = memory();
    const attempts = Array.from({ length: 50 }, async () => {
      await Promise.resolve();
      return reserve(store, 'key', 'nonce', until, now);
    });
    const results = await Promise.all(attempts);
    expect(results.filter((result) => result === 'reserved')).toHaveLength(1);
    expect(results.filter((result) => result === 'replayed')).toHaveLength(49);
  });

  it('keeps a nonce until the end of its validity, and not much longer [A10]', () => {
    const store = memory({ maxEntries: 1 });
    expect(reserve(store, 'key', 'nonce', until, now)).toBe('reserved');
    expect(reserve(store, 'key', 'nonce', until, until - 1)).toBe('replayed');
    expect(reserve(store, 'key', 'nonce', until, until)).toBe('replayed');
    expect(reserve(store, 'key', 'next', until + 10, until)).toBe('full');
    expect(reserve(store, 'key', 'next', until + 10, until + 1)).toBe('reserved');
  });

  it('rounds fractions of seconds up [A10]', () => {
    const store = memory();
    expect(reserve(store, 'key', 'nonce', now + 1.2, now + 0.1)).toBe('reserved');
    expect(reserve(store, 'key', 'nonce', now + 1.2, now + 1.19)).toBe('replayed');
  });

  it('refuses a flood without evicting a live nonce [A10]', () => {
    const store = memory({ maxEntries: 100, maxEntriesPerKey: 100 });
    for (let index = 0; index < 100; index++) expect(reserve(store, 'key', `${index}`, until, now)).toBe('reserved');
    for (let index = 100; index < 1000; index++) expect(reserve(store, 'key', `${index}`, until, now)).toBe('full');
    for (let index = 0; index < 100; index++) expect(reserve(store, 'key', `${index}`, until, now)).toBe('replayed');
  });

  it('limits one key to a quarter of the capacity [A10]', () => {
    const store = memory({ maxEntries: 100 });
    const last = until + 86_400;
    for (let index = 0; index < 25; index++) expect(reserve(store, 'greedy', `${index}`, last, now)).toBe('reserved');
    expect(reserve(store, 'greedy', 'more', last, now)).toBe('full');
    expect(reserve(store, 'greedy', '0', last, now)).toBe('replayed');
    for (let index = 0; index < 25; index++) expect(reserve(store, 'modest', `${index}`, until, now)).toBe('reserved');
    expect(reserve(store, 'greedy', 'more', last, until + 1)).toBe('full');
    expect(reserve(store, 'modest', 'more', last, until + 1)).toBe('reserved');
    expect(reserve(store, 'greedy', 'more', last + 60, last + 1)).toBe('reserved');
  });

  it('drops expired nonces in any order of expiry', () => {
    const store = memory({ maxEntries: 3, maxEntriesPerKey: 3 });
    reserve(store, 'key', 'a', now + 30, now);
    reserve(store, 'key', 'b', now + 10, now);
    reserve(store, 'key', 'c', now + 20, now);
    expect(reserve(store, 'key', 'd', now + 50, now + 9)).toBe('full');
    expect(reserve(store, 'key', 'd', now + 50, now + 11)).toBe('reserved');
    expect(reserve(store, 'key', 'a', now + 30, now + 11)).toBe('replayed');
    expect(reserve(store, 'key', 'c', now + 20, now + 11)).toBe('replayed');
  });

  it('has a constant cost for any number of different expiry times [A16]', () => {
    const store = memory();
    for (let index = 0; index < 60_000; index++) reserve(store, 'key', `${index}`, until + index, now);
    const began = performance.now();
    for (let index = 0; index < 5000; index++) reserve(store, 'key', `more ${index}`, until, now);
    // A look at each second for each call would take 20 times as long, at least.
    expect(performance.now() - began).toBeLessThan(500);
  });

  it('frees its capacity as soon as a burst has expired', () => {
    const store = memory({ maxEntries: 10_000, maxEntriesPerKey: 10_000 });
    for (let index = 0; index < 10_000; index++) reserve(store, 'key', `${index}`, until, now);
    for (let index = 0; index < 10_000; index++) {
      expect(reserve(store, 'key', `${index}`, until + 100, until + 1)).toBe('reserved');
    }
    expect(reserve(store, 'key', 'one more', until + 100, until + 1)).toBe('full');
    for (let index = 0; index < 10_000; index++) {
      expect(reserve(store, 'key', `${index}`, until + 100, until + 2)).toBe('replayed');
    }
  });

  it('refuses a dropped nonce when the clock was set back [A10]', () => {
    const store = memory();
    expect(reserve(store, 'key', 'nonce', until, now)).toBe('reserved');
    expect(reserve(store, 'key', 'later', until + 3600, now + 3600)).toBe('reserved');
    expect(reserve(store, 'key', 'nonce', until, now)).toBe('full');
  });

  it('distinguishes all pairs of key id and nonce [A10]', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ':', '1', '\u0000'), maxLength: 4 });
    fc.assert(
      fc.property(text, text, text, text, (key1, nonce1, key2, nonce2) => {
        const store = memory();
        reserve(store, key1, nonce1, until, now);
        const same = key1 === key2 && nonce1 === nonce2;
        expect(reserve(store, key2, nonce2, until, now)).toBe(same ? 'replayed' : 'reserved');
      }),
    );
    const store = memory();
    for (const [key, nonce] of [
      ['a:', 'b'],
      ['a', ':b'],
      ['a', 'b'],
      ['1:a', 'b'],
      ['', '1:ab'],
    ] as const) {
      expect(reserve(store, key, nonce, until, now)).toBe('reserved');
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
        const store = memory({ maxEntries: 4, maxEntriesPerKey: 3 });
        let model: { key: string; nonce: string; until: number }[] = [];
        let time = now;
        for (const { key, nonce, life, pause } of steps) {
          time += pause;
          model = model.filter((entry) => entry.until >= time);
          const known = model.some((entry) => entry.key === key && entry.nonce === nonce);
          const full = model.length >= 4 || model.filter((entry) => entry.key === key).length >= 3;
          const expected = known ? 'replayed' : full ? 'full' : 'reserved';
          expect(reserve(store, key, nonce, time + life, time)).toBe(expected);
          if (expected === 'reserved') model.push({ key, nonce, until: time + life });
        }
      }),
    );
  });

  it('refuses signatures created before the second of its own creation [J2]', () => {
    const store = memory({ clock: () => now * 1000 + 900 });
    expect(reserve(store, 'key', 'earlier', until, now + 1, now - 1)).toBe('before_epoch');
    expect(reserve(store, 'key', 'same second', until, now + 1, now)).toBe('reserved');
    expect(reserve(store, 'key', 'same second', until, now + 1, now)).toBe('replayed');
    expect(reserve(store, 'key', 'fraction of a DPoP proof', until, now + 1, now - 0.1)).toBe('before_epoch');
  });

  it('refuses signatures created up to the second in which its process began [J2]', () => {
    vi.spyOn(process, 'uptime').mockReturnValue(0.3);
    const sameSecond = memory({ clock: () => now * 1000 + 900 });
    expect(reserve(sameSecond, 'key', 'nonce', until, now + 1, now)).toBe('before_epoch');
    expect(reserve(sameSecond, 'key', 'signed anew', until, now + 1, now + 1)).toBe('reserved');
    const nextSecond = memory({ clock: () => now * 1000 + 200 });
    expect(reserve(nextSecond, 'key', 'nonce', until, now, now - 1)).toBe('before_epoch');
    expect(reserve(nextSecond, 'key', 'signed anew', until, now, now)).toBe('reserved');
  });

  it('uses no capacity for refused old signatures', () => {
    const store = memory({ maxEntries: 1 });
    expect(reserve(store, 'key', 'earlier', until, now, now - 1)).toBe('before_epoch');
    expect(reserve(store, 'key', 'nonce', until, now)).toBe('reserved');
  });

  it('refuses invalid options and times', () => {
    expect(() => memory({ maxEntries: 0 })).toThrow(ConfigError);
    expect(() => memory({ maxEntriesPerKey: 0.5 })).toThrow(/maxEntriesPerKey/);
    expect(() => memory({ maxEntires: 5 } as object)).toThrow(/maxEntries/);
    expect(() => memory({ clock: 5 } as object)).toThrow(/'clock' must be a function/);
    expect(() => reserve(memory(), 'key', 'nonce', Number.NaN, now)).toThrow(TypeError);
  });
});
