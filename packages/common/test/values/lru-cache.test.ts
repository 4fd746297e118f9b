import { describe, expect, it } from 'vitest';
import { bytesHeld, LruCache } from '../../src/values/lru-cache.js';

function held(map: LruCache<string>, keys: string): string {
  return keys
    .split('')
    .filter((key) => map.get(key) !== undefined)
    .join('');
}

describe('LruCache', () => {
  it('is bounded in entries', () => {
    const map = new LruCache<string>(2);
    map.set('a', '');
    map.set('b', '');
    map.get('a');
    map.set('c', '');
    expect(held(map, 'abc')).toBe('ac');
  });

  it('is bounded in bytes, however many are forgotten for it', () => {
    const map = new LruCache<string>(10, 100);
    for (const key of 'abcd') map.set(key, '', 25);
    expect(held(map, 'abcd')).toBe('abcd');
    map.set('e', '', 60);
    expect(held(map, 'abcde')).toBe('de');
    map.set('f', '', 101);
    expect(held(map, 'abcdef')).toBe('');
  });

  it('counts an entry that is set again or deleted once', () => {
    const map = new LruCache<string>(10, 100);
    for (let count = 0; count < 5; count++) map.set('a', '', 60);
    map.delete('a');
    map.delete('a');
    map.set('b', '', 50);
    map.set('c', '', 50);
    expect(held(map, 'abc')).toBe('bc');
    map.set('d', '', 1);
    expect(held(map, 'bcd')).toBe('cd');
  });

  it('counts an entry that has grown, and not another of its key', () => {
    const map = new LruCache<string>(10, 100);
    map.set('a', 'one', 40);
    map.set('b', '', 40);
    map.resize('a', 'another', 1000);
    map.resize('c', '', 1000);
    expect(held(map, 'ab')).toBe('ab');
    map.resize('b', '', -20);
    map.resize('b', '', 40);
    expect(held(map, 'ab')).toBe('ab');
    map.resize('b', '', 1);
    expect(held(map, 'ab')).toBe('b');
  });
});

describe('bytesHeld', () => {
  it('tells what memory the claims take, not their text', () => {
    const fat = { details: Array.from({ length: 1000 }, () => ({})) };
    expect(bytesHeld(fat)).toBeGreaterThan(100_000);
    expect(bytesHeld({ issuer: 'agent-a', scope: ['repo:read'] })).toBeLessThan(2000);
  });
});
