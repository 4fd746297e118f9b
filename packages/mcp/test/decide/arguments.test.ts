import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/decide/arguments.js';
import type { JsonObject } from '../../src/decide/json-rpc.js';

/** RFC 8785, of names that sort alike as text and as UTF-16. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

it('digestOf writes members in their order, and lists as they are', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (given) => {
      const plain = JSON.parse(JSON.stringify(given)) as JsonObject;
      expect(digestOf(plain)).toBe(createHash('sha256').update(canonical(plain)).digest('base64url'));
    }),
  );
});

it.each([
  ['members', (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [at, 0])), 19_990],
  ['lists', (count: number) => Array.from({ length: count }, () => []), 18_000],
  ['items', (count: number) => Array.from({ length: count }, () => 0), 199_970],
])('digestOf gives up on more %s than are sorted in a moment [E15]', (_what, many, most) => {
  expect(digestOf({ list: many(most) })).toBeDefined();
  expect(digestOf({ list: many(most + 200) })).toBeUndefined();
});

it.each([
  ['objects', (inner: unknown) => ({ in: inner })],
  ['lists', (inner: unknown) => [inner]],
])('digestOf gives up on %s of more than 256 levels [E15]', (_what, around) => {
  const nested = (levels: number): JsonObject => {
    let value: unknown = 1;
    for (let level = 1; level < levels; level++) value = around(value);
    return { in: value };
  };
  expect(digestOf(nested(256))).toBeDefined();
  expect(digestOf(nested(257))).toBeUndefined();
  expect(digestOf(nested(5_000))).toBeUndefined();
});
