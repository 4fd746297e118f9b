import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { wellFormedJson } from '../src/json-document.js';

it('what is written says the same when it is read', () => {
  const anything = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(anything, (document) => {
      const written = wellFormedJson({ document });
      if (written.ok) expect(JSON.parse(written.text)).toEqual(JSON.parse(JSON.stringify({ document })));
      else expect(written.problem).toMatch(/Unicode|exactly/);
    }),
    { numRuns: 200 },
  );
});

it('text that is not well-formed is refused wherever it stands [D9]', () => {
  const half = fc.constantFrom('\ud800', 'a\udfff', '\udc00\ud800');
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 2 }), half, fc.boolean(), (document, text, asKey) => {
      expect(wellFormedJson(asKey ? [document, { [text]: 1 }] : { document, at: [text] }).ok).toBe(false);
    }),
    { numRuns: 100 },
  );
  expect(wellFormedJson('\ud83d\ude00 \\ud800').ok).toBe(true);
});

// A rejection that nobody handles fails the run.
it('the rejection of a promise in a query is contained [D11]', async () => {
  const written = wellFormedJson({ attributes: { owner: Promise.reject(new Error('no such row')) } });
  expect(written).toMatchObject({ ok: false, problem: 'the query has an object that is not plain' });
  await setImmediate();
});

it.each<[string, (characters: number) => unknown]>([
  ['a text', (characters) => 'x'.repeat(characters - 2)],
  ['a list of numbers', (characters) => Array.from({ length: (characters - 1) / 2 }, () => 1)],
  ['a name', (characters) => ({ ['x'.repeat(characters - 6)]: 1 })],
])('%s of the longest length is written, and a longer one is refused [M7]', (_title, make) => {
  const refusal = { ok: false, problem: 'the query has more than 1001 characters' };
  expect(wellFormedJson(make(1001), 1001)).toEqual({ ok: true, text: JSON.stringify(make(1001)) });
  expect(wellFormedJson(make(1003), 1001)).toEqual(refusal);
  expect(wellFormedJson(make(1001)).ok).toBe(true);
  expect(wellFormedJson(make(65_537))).toEqual({ ok: false, problem: 'the query has more than 65536 characters' });
});

it('characters that JSON escapes count as they are written', () => {
  expect(wellFormedJson('\u0001'.repeat(15_000)).ok).toBe(false);
});

it('what is too long is not read to its end [M7]', () => {
  let reads = 0;
  const counted = new Proxy(
    Array.from({ length: 1_000_000 }, () => 1),
    {
      getOwnPropertyDescriptor(list, key) {
        reads++;
        return Reflect.getOwnPropertyDescriptor(list, key);
      },
    },
  );
  expect(wellFormedJson(counted).ok).toBe(false);
  expect(reads).toBeLessThan(70_000);
});

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;

it.each<[string, unknown]>([
  ['2^53', 2 ** 53],
  ['-2^53', -(2 ** 53)],
  ['1e300', 1e300],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['undefined', undefined],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
  ['a big integer', 1n],
  ['itself', cycle],
  ['a set', new Set(['a'])],
  ['a map', new Map([['a', 1]])],
  ['an expression', /a/],
  ['an instance of a class', new Error('x')],
  ['an array of bytes', new Uint8Array(2)],
  ['a date', new Date(0)],
  ['an address', new URL('https://acme.dev')],
  ['a buffer', Buffer.from('admin')],
  ['what writes itself as another', { toJSON: () => 'admin' }],
  ['what writes itself as itself', { toJSON: () => ({ toJSON: 1 }) }],
  ['a list that writes itself', Object.assign(['a'], { toJSON: () => ['admin'] })],
  ['what reads otherwise each time', changing()],
  ['minus zero', -0],
  ['a key that is a symbol', { [Symbol('deny')]: true }],
  ['a hidden property', Object.defineProperty({}, 'deny', { value: true })],
  ['a getter', Object.defineProperty({}, 'deny', { get: () => true, enumerable: true })],
  ['a setter', Object.defineProperty({}, 'deny', { set: () => {}, enumerable: true })],
  ['a list with a further property', Object.assign(['a'], { deny: true })],
  ['a list with a hidden property', Object.defineProperty(['a'], 'deny', { value: true })],
  ['a list with a symbol', Object.assign(['a'], { [Symbol('deny')]: true })],
  ['a list with a getter', Object.defineProperty(['a'], '0', { get: () => 'b' })],
  ['a list with a hole', Object.assign([], { length: 1 })],
  ['a list of a class', new (class extends Array {})()],
])('%s is refused [D11]', (_title, value) => {
  expect(wellFormedJson({ value }).ok).toBe(false);
});

it.each<[string, unknown, string]>([
  ['the greatest integer', Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ['a fraction', 0.1, '0.1'],
  ['null', null, 'null'],
  ['an object without a prototype', Object.assign(Object.create(null) as object, { a: [] }), '{"a":[]}'],
  ['zero', 0, '0'],
  ['a member called toJSON', { toJSON: 'x' }, '{"toJSON":"x"}'],
  ['a member called __proto__', JSON.parse('{"__proto__":{"a":1}}'), '{"__proto__":{"a":1}}'],
])('%s is written', (_title, value, text) => {
  expect(wellFormedJson({ value })).toEqual({ ok: true, text: `{"value":${text}}` });
});

function changing(): object {
  let reads = 0;
  return {
    get name() {
      return `n${reads++}`;
    },
  };
}
