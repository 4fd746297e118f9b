import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { contentOf } from '../../src/decide/approval-page.js';
import { digestOf } from '../../src/decide/arguments.js';

const inner = fc.dictionary(fc.constantFrom('a', 'countersign/arguments', 'inputResponses'), fc.constantFrom(1, 2), {
  maxKeys: 3,
});
const given = fc.dictionary(
  fc.constantFrom('a', 'countersign/arguments', 'countersign/beside', 'inputResponses', 'more'),
  fc.oneof(fc.constant(1), inner),
  {
    maxKeys: 3,
  },
);
const beside = fc.dictionary(
  fc.constantFrom('inputResponses', 'more', 'countersign/arguments', 'countersign/beside', '__proto__'),
  inner.filter((each) => Object.keys(each).length > 0),
  {
    maxKeys: 2,
  },
);
const call = fc.tuple(given, beside);

function digest([asked, more]: [Record<string, unknown>, Record<string, unknown>]): string | undefined {
  return digestOf(contentOf({ name: 'tool', arguments: asked, ...more }, asked));
}

it('Two calls of a tool that a server may tell apart have different digests [C11]', () => {
  fc.assert(
    fc.property(call, call, (one, other) => {
      const isSame = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
      expect(digest(one) === digest(other)).toBe(isSame);
    }),
    {
      numRuns: 2_000,
      examples: [
        [
          [{ 'countersign/arguments': { a: 1 }, inputResponses: { a: 2 } }, {}],
          [{ a: 1 }, { inputResponses: { a: 2 } }],
        ],
        [
          [{ a: 1 }, { 'countersign/arguments': { a: 1 } }],
          [{}, { 'countersign/arguments': { a: 1 } }],
        ],
      ],
    },
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [name, sorted(each)] as const);
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

it('Plain arguments have the digest that agents make of them, whatever their names [C11]', () => {
  for (const asked of [{}, { amount: 5 }, { name: 'pay', arguments: { amount: 5 } }]) {
    expect(digest([asked, {}])).toBe(digestOf(asked));
  }
});
