import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputGuard } from '../../../src/cedar/request/input-guard.js';

function read(value: unknown): { readonly copy: unknown; readonly problem: string | undefined } {
  const guard = new InputGuard();
  const copy = guard.record(value, 'it');
  return { copy, problem: guard.problem };
}

function nested(levels: number): object {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = { a: value };
  return value;
}

class Made {
  readonly a = 1;
}

describe('InputGuard refuses values that Cedar throws on, drops or changes [D11]', () => {
  const refused: Record<string, unknown> = {
    null: { a: null },
    undefined: { a: undefined },
    'a float': { a: 1.5 },
    NaN: { a: Number.NaN },
    infinity: { a: Infinity },
    'an integer beyond 2^53': { a: 2 ** 53 },
    'a bigint': { a: 1n },
    'a function': { a: () => 1 },
    'a symbol': { a: Symbol('s') },
    'a symbol key': { [Symbol('s')]: 1 },
    'a date': { a: new Date(0) },
    'a map': { a: new Map() },
    'a set': { a: new Set(['x']) },
    'a regular expression': { a: /x/ },
    'an instance of a class': { a: new Made() },
    'an instance at the top': new Made(),
    bytes: { a: new Uint8Array(2) },
    'a boxed string': { a: new String('x') },
    'a promise': { a: Promise.resolve(1) },
    toJSON: { toJSON: () => ({}) },
    'a getter': {
      get a() {
        return 1;
      },
    },
    'a hidden property': Object.defineProperty({}, 'a', { value: 1 }),
    'a hole': { a: Object.assign([1], { 2: 3 }) },
    'an enormous hole': { a: Object.assign([], { length: 2 ** 32 - 1 }) },
    'undefined in a list': { a: [undefined] },
    'a list at the top': [],
    'a string at the top': 'x',
    'null at the top': null,
    'a lone surrogate': { a: 'x\ud800' },
    'a lone surrogate in a key': { 'x\udfff': 1 },
    'a lone surrogate in a list': { a: [{ b: ['\udc00\ud800'] }] },
    'deep records': nested(40),
    'deep lists': { a: JSON.parse('['.repeat(40) + ']'.repeat(40)) as unknown },
    'very deep lists': { a: JSON.parse('['.repeat(5_000) + ']'.repeat(5_000)) as unknown },
    'a long string': { a: 'x'.repeat(64 * 1024) },
    'long keys': { ['k'.repeat(64 * 1024)]: 1 },
    'many values': { a: Array.from({ length: 4_200 }, () => 1) },
    'many empty texts': { a: Array.from({ length: 4_200 }, () => '') },
    'many empty records': { a: Array.from({ length: 4_200 }, () => ({})) },
    'many short keys': Object.fromEntries(Array.from({ length: 2_100 }, (_, n) => [`${n}`, true])),
  };
  for (const [name, value] of Object.entries(refused)) {
    it(`${name} [D11]`, () => {
      expect(read(value).problem).toMatch(/^it: ./);
    });
  }

  // A rejection that nobody handles fails the run.
  it('a promise, whose rejection is contained [D11]', async () => {
    expect(read({ a: [{ b: Promise.reject(new Error('no such row')) }] }).problem).toContain('is an await missing?');
    await setImmediate();
  });

  it('a cycle [D11]', () => {
    const cycle: Record<string, unknown> = {};
    cycle['a'] = cycle;
    expect(read(cycle).problem).toContain('nesting deeper');
  });

  for (const key of ['__entity', '__extn', '__expr']) {
    it(`the key ${key}, at any depth [D9]`, () => {
      expect(read({ [key]: { type: 'Role', id: 'admin' } }).problem).toContain(key);
      expect(read({ a: [{ b: { [key]: 'x', more: 1 } }] }).problem).toContain(key);
    });
  }

  it('without the value in the message, as it may be a secret', () => {
    expect(read({ password: 'hunter2\ud800' }).problem).not.toContain('hunter2');
  });

  it('when the total size exceeds the limit', () => {
    const guard = new InputGuard();
    guard.text('x'.repeat(40_000), 'first');
    expect(guard.problem).toBeUndefined();
    guard.text('x'.repeat(40_000), 'second');
    expect(guard.problem).toMatch(/^second: more than/);
  });
});

describe('plain data', () => {
  it('passes at depth 32', () => {
    expect(read(nested(32)).problem).toBeUndefined();
    expect(read(nested(33)).problem).toContain('nesting deeper than 32');
  });

  it('passes with long strings', () => {
    const members = Array.from({ length: 1_000 }, (_, n) => `user_${n}@acme.example`);
    expect(read({ members }).problem).toBeUndefined();
    expect(read({ flags: Array.from({ length: 4_000 }, () => true) }).problem).toBeUndefined();
  });

  it('passes with odd keys and no prototype', () => {
    const odd = JSON.parse('{"":1,"__proto__":{"a":[]},"constructor":"c","\\u0000":"\\u0000","é":"😀"}') as object;
    expect(JSON.stringify(read(odd).copy)).toBe(JSON.stringify(odd));
    expect(read(Object.assign(Object.create(null) as object, { a: 1 }))).toEqual({
      copy: { a: 1 },
      problem: undefined,
    });
  });

  it('is copied, so that later changes have no effect', () => {
    const inner = { list: ['x'] };
    const { copy } = read({ inner });
    inner.list.push('\ud800');
    expect(copy).toEqual({ inner: { list: ['x'] } });
  });

  it('survives a round trip for any value', () => {
    const leaf = fc.oneof(fc.string({ unit: 'binary' }), fc.boolean(), fc.maxSafeInteger());
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.string({ unit: 'binary' }), tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), tree), (value) => {
        const { copy, problem } = read(value);
        expect(problem).toBeUndefined();
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
      }),
    );
  });
});

it('any value is either refused or equal after JSON', () => {
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withSparseArray: true,
        withNullPrototype: true,
      }),
      (value) => {
        const { copy, problem } = read({ value });
        if (problem === undefined)
          expect(JSON.parse(JSON.stringify(copy))).toEqual(JSON.parse(JSON.stringify({ value })));
      },
    ),
    { numRuns: 1000 },
  );
});
