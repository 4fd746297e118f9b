import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ConfigError } from '@countersign/common';
import {
  type MemoryReplayStore,
  type MemoryReplayStoreOptions,
  memoryReplayStore,
  memoryReplayStoreWith,
} from '../../../src/stages/replay/memory-replay-store.js';
import { createChaskey, type KeyedHash } from '../../../src/stages/replay/chaskey.js';
import type { OneTimeProof, ReplayResult } from '../../../src/stages/replay/store.js';

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
  return store.reserve({ agent: keyId, keyId, nonce, created, until: validUntil, now: at });
}

/** What the contract says, at the cost of a look at each entry. */
class ListOfReservations {
  readonly #limits: Required<Pick<MemoryReplayStoreOptions, 'maxEntries' | 'maxEntriesPerAgent'>>;
  #held = new Map<string, { agent: string; last: number }>();
  #forgottenUpTo = 0;
  #second = 0;

  constructor(limits: { maxEntries: number; maxEntriesPerAgent: number }) {
    this.#limits = limits;
  }

  reserve({ agent, keyId, nonce, created, until: end, now: at }: OneTimeProof): ReplayResult {
    const second = Math.floor(at);
    if (second !== this.#second) this.#forget(second);
    this.#second = second;
    const name = JSON.stringify([keyId, nonce]);
    if (this.#held.has(name)) return 'replayed';
    if (Math.floor(created) < now) return 'before_epoch';
    const last = Math.max(Math.ceil(end), second);
    if (last <= this.#forgottenUpTo || this.#isFull(agent)) return 'full';
    this.#held.set(name, { agent, last });
    return 'reserved';
  }

  #forget(second: number): void {
    for (const [entry, { last }] of this.#held) {
      if (last >= second) continue;
      this.#forgottenUpTo = Math.max(this.#forgottenUpTo, last);
      this.#held.delete(entry);
    }
  }

  #isFull(agent: string): boolean {
    const { maxEntries, maxEntriesPerAgent } = this.#limits;
    if (this.#held.size >= maxEntries) return true;
    // Counted only where it can matter.
    return (
      maxEntriesPerAgent < maxEntries &&
      [...this.#held.values()].filter((held) => held.agent === agent).length >= maxEntriesPerAgent
    );
  }
}

const plain = createChaskey([1, 2, 3, 4]);

/** A hash of which only some bits differ. */
const masked =
  (first: number, second: number, third: number): KeyedHash =>
  (index, text, digest) => {
    plain(index, text, digest);
    [first, second, third].forEach((mask, word) => (digest[word]! &= mask));
  };

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
    const store = memory({ maxEntries: 100, maxEntriesPerAgent: 100 });
    for (let index = 0; index < 100; index++) expect(reserve(store, 'key', `${index}`, until, now)).toBe('reserved');
    for (let index = 100; index < 1000; index++) expect(reserve(store, 'key', `${index}`, until, now)).toBe('full');
    for (let index = 0; index < 100; index++) expect(reserve(store, 'key', `${index}`, until, now)).toBe('replayed');
  });

  it('limits one agent to a quarter of the capacity [A10]', () => {
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

  it('counts all keys of an agent together [A10]', () => {
    const store = memory({ maxEntries: 8 });
    const of = (agent: string, keyId: string): ReplayResult =>
      store.reserve({ agent, keyId, nonce: 'nonce', created: now, until, now });
    expect(['key 1', 'key 2', 'key 3'].map((keyId) => of('greedy', keyId))).toEqual(['reserved', 'reserved', 'full']);
    expect(of('modest', 'key 3')).toBe('reserved');
  });

  it('refuses a copy whose key has come to another agent [A10]', () => {
    const store = memory();
    const proof = { agent: 'before', keyId: 'key', nonce: 'nonce', created: now, until, now };
    expect(store.reserve(proof)).toBe('reserved');
    expect(store.reserve({ ...proof, agent: 'after' })).toBe('replayed');
  });

  it('drops expired nonces in any order of expiry', () => {
    const store = memory({ maxEntries: 3, maxEntriesPerAgent: 3 });
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
    const looks = [vi.spyOn(Map.prototype, 'get'), vi.spyOn(Map.prototype, 'keys')];
    for (let index = 0; index < 1000; index++) reserve(store, 'key', `more ${index}`, until, now);
    expect(looks.reduce((sum, { mock }) => sum + mock.calls.length, 0)).toBeLessThanOrEqual(2000);
  });

  it('frees its capacity as soon as a burst has expired', () => {
    const store = memory({ maxEntries: 10_000, maxEntriesPerAgent: 10_000 });
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

  it('answers like a list of reservations, also when the clock is set back [A10]', () => {
    const step = fc.record({
      agent: fc.constantFrom('one', 'other'),
      key: fc.constantFrom('a', 'b', 'c'),
      nonce: fc.constantFrom('1', '2', '3', '4'),
      life: fc.integer({ min: -2, max: 9 }),
      age: fc.integer({ min: 0, max: 3 }),
      pause: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -10, max: 10 }), fc.constant(0.5)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const limits = { maxEntries: 4, maxEntriesPerAgent: 3 };
        const store = memory(limits);
        const model = new ListOfReservations(limits);
        let time = now + 5;
        for (const { agent, key, nonce, life, age, pause } of steps) {
          time += pause;
          const proof = { agent, keyId: key, nonce, created: time - age, until: time + life, now: time };
          expect(store.reserve(proof)).toBe(model.reserve(proof));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('answers like a list of reservations while it grows and is emptied [A10]', () => {
    const burst = fc.record({
      keys: fc.integer({ min: 1, max: 400 }),
      nonces: fc.integer({ min: 1, max: 3000 }),
      life: fc.integer({ min: 0, max: 30 }),
      pause: fc.integer({ min: -5, max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(burst, { minLength: 1, maxLength: 8 }), (bursts) => {
        const limits = { maxEntries: 20_000, maxEntriesPerAgent: 20_000 };
        const store = memory(limits);
        const model = new ListOfReservations(limits);
        const sent: OneTimeProof[] = [];
        let time = now;
        bursts.forEach(({ keys, nonces, life, pause }, round) => {
          time = Math.max(now, time + pause);
          const times = { created: time, until: time + life, now: time };
          const fresh = Array.from({ length: nonces }, (_, index) => {
            return { agent: `agent ${index % 7}`, keyId: `key ${index % keys}`, nonce: `${round} ${index}`, ...times };
          });
          const copies = sent.filter(({ until: end }) => end > time).map((proof) => ({ ...proof, now: time }));
          const both = [...fresh, ...copies];
          expect(both.map((proof) => store.reserve(proof))).toEqual(both.map((proof) => model.reserve(proof)));
          sent.push(...fresh);
        });
      }),
      { numRuns: 20 },
    );
  });

  it('admits no copy, however many digests collide [A10]', () => {
    const mask = fc.constantFrom(0, 1, 0x3ff, 0x4000_0000, -1);
    fc.assert(
      fc.property(fc.tuple(mask, mask, mask), ([first, second, third]) => {
        const store = memoryReplayStoreWith(masked(first, second, third), {
          maxEntries: 5000,
          clock: () => now * 1000,
        });
        const reserved = Array.from({ length: 1000 }, (_, index) => `${index}`).filter(
          (nonce) => reserve(store, `key ${nonce.length}`, nonce, until, now) === 'reserved',
        );
        expect(reserved.length).toBeGreaterThan(0);
        const copies = reserved.map((nonce) => reserve(store, `key ${nonce.length}`, nonce, until, now));
        expect(new Set(copies)).toEqual(new Set(['replayed']));
      }),
      { numRuns: 20 },
    );
  });

  it('refuses a fresh nonce when its digest is that of another', () => {
    const store = memoryReplayStoreWith(masked(0, 0, 0), { clock: () => now * 1000 });
    expect(reserve(store, 'key', 'nonce', until, now)).toBe('reserved');
    expect(reserve(store, 'other key', 'other nonce', until, now)).toBe('replayed');
    expect(reserve(store, 'other key', 'other nonce', until + 9, until + 1)).toBe('reserved');
  });

  it('answers full, and drops nothing, when too many digests share a prefix [A10]', () => {
    const store = memoryReplayStoreWith(masked(0, -1, -1), { clock: () => now * 1000 });
    const results = Array.from({ length: 2000 }, (_, index) => reserve(store, 'key', `${index}`, until, now));
    const held = results.indexOf('full');
    expect(held).toBeGreaterThan(500);
    expect(results.slice(held).every((result) => result === 'full')).toBe(true);
    for (let index = 0; index < held; index++) expect(reserve(store, 'key', `${index}`, until, now)).toBe('replayed');
    expect(reserve(store, 'key', 'after them', until + 9, until + 1)).toBe('reserved');
  });

  it('counts for no other agent when all entries of an agent are forgotten [A10]', () => {
    const store = memory({ maxEntries: 100, maxEntriesPerAgent: 2 });
    for (const agent of ['a', 'b', 'c']) expect(reserve(store, agent, agent, until, now)).toBe('reserved');
    expect(reserve(store, 'a', 'a again', until + 100, now)).toBe('reserved');
    for (const agent of ['d', 'e']) {
      expect(reserve(store, agent, '1', until + 100, until + 1)).toBe('reserved');
      expect(reserve(store, agent, '2', until + 100, until + 1)).toBe('reserved');
      expect(reserve(store, agent, '3', until + 100, until + 1)).toBe('full');
    }
    expect(reserve(store, 'a', 'a once more', until + 100, until + 1)).toBe('reserved');
    expect(reserve(store, 'a', 'too many', until + 100, until + 1)).toBe('full');
  });

  it('holds little memory for few nonces, and grows with them', () => {
    const before = process.memoryUsage().arrayBuffers;
    const store = memory();
    const reserveUpTo = (count: number): number => {
      for (let index = 0; index < count; index++) reserve(store, 'key', `${index}`, until, now);
      return process.memoryUsage().arrayBuffers - before;
    };
    expect(reserveUpTo(100)).toBeLessThan(100_000);
    expect(reserveUpTo(100_000)).toBeLessThan(55 * 100_000);
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
    expect(() => memory({ maxEntriesPerAgent: 0.5 })).toThrow(/maxEntriesPerAgent/);
    expect(() => memory({ maxEntires: 5 } as object)).toThrow(/maxEntries/);
    expect(() => memory({ clock: 5 } as object)).toThrow(/'clock' must be a function/);
    expect(() => memory({ maxEntries: 1e9 })).toThrow(/from 1 to 100000000/);
    expect(() => reserve(memory(), 'key', 'nonce', Number.NaN, now)).toThrow(TypeError);
    expect(() => reserve(memory(), 'key', 'nonce', until * 1000, now)).toThrow(TypeError);
    expect(() => reserve(memory(), 'key', 'nonce', until, now, Number.NaN)).toThrow(TypeError);
  });
});
