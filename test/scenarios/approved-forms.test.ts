import { readBody, type ReadableBody } from '@countersign/approval';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openFormReaders } from '../support/form-readers.js';

let open: Awaited<ReturnType<typeof openFormReaders>>;

beforeAll(async () => {
  open = await openFormReaders();
});
afterAll(() => open.close());

/** What people see of a form. */
function seen(text: string): ReadableBody {
  const fields = { 'content-type': 'application/x-www-form-urlencoded' };
  const http = { method: 'POST', authority: 'api.acme.dev', path: '/', contentDigest: 'sha-256=:x:', fields };
  return readBody({ http }, { text });
}

/** Every reading; 'refused' where the parser refuses the form. */
async function readings(text: string): Promise<Readonly<Record<string, unknown>>> {
  const read = open.readers.map(
    async (reader) => [reader.name, await reader.read(text).catch(() => 'refused')] as const,
  );
  return Object.fromEntries(await Promise.all(read));
}

const all = (value: unknown) => Object.fromEntries(open.readers.map(({ name }) => [name, value]));

const words = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,12}$/);
/** Values as clients write them. */
const encoded = fc.oneof(
  fc.string({ unit: 'grapheme' }).map(encodeURIComponent),
  fc.string({ unit: 'binary' }).map((value) => new URLSearchParams({ '': value }).toString().slice(1)),
  fc.constantFrom('', 'alice@example.com', 'https://acme.dev/?q', '12:30', '-1.50', '+', '%EF%BB%BFx', '%00'),
);
const usual = fc
  .uniqueArray(fc.tuple(words, encoded), { selector: ([name]) => name, minLength: 1, maxLength: 12 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&'));
/** What some parser takes for something else, in a name, in a value or between them. */
const names = [...'to to to a.b a[b] a[] [a] a%5Bb%5D 0 utf8 __proto__ constructor'.split(' '), 'x'.repeat(101)];
const values = ['', ...'1 a,b x]= ] a=b a;to=b %00 % %f %ff %ED%A0%80 %E2%9C%93 %26%2310003%3B'.split(' ')];
const others = [' ', '\0', '\ufeff', ...'& && = [ ] [] . ; ? + " { é %26 %3D %2E %74'.split(' ')];
const pieces = fc.constantFrom(...names, ...values, ...others);
const unusual = fc.array(pieces, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
/** Usual but for one place. */
const nearly = fc
  .tuple(usual, pieces, fc.nat())
  .map(([text, piece, at]) => [text, at % (text.length + 1), piece] as const)
  .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at));
/** Pairs that differ from usual ones by their names and values only. */
const pairs = fc
  .array(fc.tuple(fc.oneof(words, fc.constantFrom(...names)), fc.oneof(encoded, fc.constantFrom(...values))), {
    minLength: 1,
    maxLength: 3,
  })
  .map((given) => given.map(([name, value]) => `${name}=${value}`).join('&'));

it('every parser reads in a form that has no alarm what people see [C13]', async () => {
  const texts = fc.oneof(usual, nearly, unusual, pairs);
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const body = seen(text);
      if (body.format === 'form') expect(await readings(text)).toEqual(all(body.pairs));
    }),
    { numRuns: 1000 },
  );
});

it('usual forms have no alarm', () => {
  fc.assert(
    fc.property(usual, (text) => {
      fc.pre(!/(?:^|&)(?:utf8|constructor|toString|valueOf|isPrototypeOf)=/.test(text));
      expect(seen(text).format).toBe('form');
    }),
  );
});

it.each([
  ['the most values that parsers take', Array.from({ length: 1000 }, (_, index) => `n${index}=${index}`).join('&')],
  ['all characters that encoders leave', "a-b_C9=azAZ09-._~!*'()&b=+"],
])('people and every parser read %s alike', async (_what, text) => {
  const pairs = text.split('&').map((part) => part.replaceAll('+', ' ').split('='));
  expect(seen(text)).toEqual({ format: 'form', pairs });
  expect(await readings(text)).toEqual(all(pairs));
});

it.each([
  ['separators that count', `amount=5000${'&'.repeat(1000)}currency=JPY`],
  ['a bracket in front of an equals sign', 'title=x]='],
  ['a name that begins with a bracket', 'to=alice&[to]=mallory'],
  ['brackets', 'to[name]=mallory'],
  ['encoded brackets', 'to%5Bname%5D=mallory'],
  ['deep brackets', 'a[b][c][d][e][f][g]=x'],
  ['a list', 'to[]=alice'],
  ['an index', 'to[3]=alice'],
  ['dots, which koa nests', 'payment.to=mallory'],
  ['commas, which qs may split at', 'to=alice,mallory'],
  ['a name twice', 'to=alice&to=mallory'],
  ['a name twice, once encoded', 'to=alice&%74o=mallory'],
  ['a name that objects have', 'to=alice&constructor=x'],
  ['a name that qs drops', 'to=alice&__proto__=x'],
  ['a sentinel', 'to=alice&utf8=%E2%9C%93'],
  ['no name', 'to=alice&=mallory'],
  ['an invalid escape', 'to=%E0%A4'],
  ['a question mark, which URLSearchParams drops', '?to=alice'],
  ['a name that busboy cuts', `${'x'.repeat(101)}=1`],
])('people see the alarm where parsers differ: %s [C13]', async (_what, text) => {
  expect(seen(text)).toMatchObject({ format: 'unknown', text });
  const distinct = new Set(Object.values(await readings(text)).map((reading) => JSON.stringify(reading)));
  expect(distinct.size).toBeGreaterThan(1);
});
