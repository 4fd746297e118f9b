import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDictionary, parseItem, parseList } from '../../src/structured-fields/parse.js';
import { structuredTypeOf } from '../../src/structured-fields/registry.js';
import {
  serializeDictionary,
  serializeInnerList,
  serializeItem,
  serializeList,
  StructuredFieldError,
} from '../../src/structured-fields/serialize.js';
import type { BareItem, Dictionary, Item, Member } from '../../src/structured-fields/types.js';

const key = fc.stringMatching(/^[a-z*][a-z0-9_\-.*]{0,8}$/);
const printable = fc.stringMatching(/^[\x20-\x7e]{0,12}$/);
const bareItem: fc.Arbitrary<BareItem> = fc.oneof(
  fc.integer().map((value) => ({ type: 'integer', value }) as const),
  fc.integer().map((value) => ({ type: 'decimal', value: value / 8 }) as const),
  printable.map((value) => ({ type: 'string', value }) as const),
  fc
    .stringMatching(/^[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]{0,8}$/)
    .map((value) => ({ type: 'token', value }) as const),
  fc.uint8Array({ maxLength: 12 }).map((value) => ({ type: 'bytes', value: Buffer.from(value) }) as const),
  fc.boolean().map((value) => ({ type: 'boolean', value }) as const),
  fc.integer().map((value) => ({ type: 'date', value }) as const),
  fc.string({ unit: 'grapheme' }).map((value) => ({ type: 'display-string', value }) as const),
);
const parameters = fc.array(fc.tuple(key, bareItem), { maxLength: 3 }).map((entries) => new Map(entries));
const item: fc.Arbitrary<Item> = fc.record({ value: bareItem, parameters });
const member: fc.Arbitrary<Member> = fc.oneof(item, fc.record({ items: fc.array(item, { maxLength: 3 }), parameters }));
const dictionary: fc.Arbitrary<Dictionary> = fc
  .array(fc.tuple(key, member), { maxLength: 4 })
  .map((all) => new Map(all));

describe('structured fields (RFC 9651)', () => {
  it('parses every serialised value back, with its type', () => {
    fc.assert(
      fc.property(item, (value) => {
        expect(parseItem(serializeItem(value))).toEqual({ ok: true, value });
      }),
    );
    fc.assert(
      fc.property(fc.array(member), (value) => {
        expect(parseList(serializeList(value))).toEqual({ ok: true, value });
      }),
    );
    fc.assert(
      fc.property(dictionary, (value) => {
        const text = serializeDictionary(value);
        expect(parseDictionary(text, { duplicates: 'refuse' })).toEqual({ ok: true, value });
      }),
    );
  });

  it('never throws, and accepts only values with one serialisation', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[a-z"();,=:?@%0-9. \\*-]{0,40}$/),
      serializedAndCut(),
    );
    fc.assert(
      fc.property(text, (input) => {
        const parsed = parseDictionary(input);
        if (!parsed.ok) return;
        const canonical = serializeDictionary(parsed.value);
        expect(parseDictionary(canonical)).toEqual(parsed);
      }),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(text, (input) => void [parseItem(input), parseList(input)]));
  });

  it('keeps the Decimal 1.0 apart from the Integer 1', () => {
    const parsed = parseList('1, 1.0');
    if (!parsed.ok) expect.fail(parsed.problem.detail);
    expect(parsed.value.map((entry) => 'value' in entry && entry.value.type)).toEqual(['integer', 'decimal']);
    expect(serializeList(parsed.value)).toBe('1, 1.0');
  });

  it('lets the last duplicate win only when duplicates are allowed [A16]', () => {
    expect(parseDictionary('a=1, b=2, a=3').ok).toBe(true);
    expect(parseDictionary('a=1, b=2, a=3', { duplicates: 'refuse' })).toMatchObject({
      problem: { kind: 'duplicate_key' },
    });
    expect(parseItem('a;x=1;x=2', { duplicates: 'refuse' })).toMatchObject({
      problem: { kind: 'duplicate_parameter' },
    });
  });

  it('reads a large field in linear time [A16]', () => {
    const large = Array.from({ length: 10_000 }, (_, at) => `k${at}="${'\\"'.repeat(20)}"`).join(', ');
    const parsed = parseDictionary(large);
    expect(parsed.ok && parsed.value.size).toBe(10_000);
  });

  it.each(['YQ', 'YQ=', 'YR==', 'YQ===', 'Y-_=', 'Y Q==', 'YQ==\n'])('refuses :%j: as a byte sequence', (text) => {
    expect(parseItem(`:${text}:`).ok).toBe(false);
  });

  it('refuses to serialise values that no field can carry', () => {
    const impossible: BareItem[] = [
      { type: 'integer', value: 1e15 },
      { type: 'integer', value: 1.5 },
      { type: 'integer', value: Number.NaN },
      { type: 'decimal', value: 1e12 },
      { type: 'decimal', value: Number.NaN },
      { type: 'decimal', value: Infinity },
      { type: 'string', value: 'a\n' },
      { type: 'string', value: 'é' },
      { type: 'token', value: '' },
      { type: 'token', value: 'a b' },
      { type: 'display-string', value: '\ud800' },
    ];
    for (const value of impossible) {
      expect(() => serializeItem({ value, parameters: new Map() })).toThrow(StructuredFieldError);
    }
    const upper = new Map([['A', { type: 'integer', value: 1 } as const]]);
    expect(() => serializeInnerList({ items: [], parameters: upper })).toThrow(StructuredFieldError);
  });

  it('knows the registered fields, and the fields that the caller names', () => {
    expect(structuredTypeOf('content-digest')).toBe('dictionary');
    expect(structuredTypeOf('x-mine')).toBeUndefined();
    expect(structuredTypeOf('x-mine', { 'x-mine': 'list' })).toBe('list');
    expect(structuredTypeOf('toString')).toBeUndefined();
    expect(structuredTypeOf('constructor', {})).toBeUndefined();
  });
});

/** Almost valid: a serialised dictionary with one character cut out. */
function serializedAndCut(): fc.Arbitrary<string> {
  return fc.tuple(dictionary, fc.nat(200)).map(([value, at]) => {
    const text = serializeDictionary(value);
    return text.slice(0, at) + text.slice(at + 1);
  });
}
