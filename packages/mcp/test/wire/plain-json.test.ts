import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasLineEnd, mostMembers, onOneLine, problemOfText, serialize } from '../../src/wire/plain-json.js';

function objects(count: number): string {
  return JSON.stringify(Array.from({ length: count }, () => ({})));
}

describe('problemOfText', () => {
  it.each([
    '0',
    '-0',
    '1.50',
    '0.1000000000000000055511151231257827',
    '9007199254740991',
    '9007199254740992',
    '123456789012345680000',
    '1e23',
    '1.7976931348623157e308',
    '5e-324',
    '0e999',
    '"9007199254740993"',
    '"\\ud83e\\udd80"',
    '"\\\\ud83e"',
    '["🦀", {"a\\"1e400": "\\\\"}]',
  ])('accepts %s', (text) => {
    expect(problemOfText(text)).toBeUndefined();
  });

  it.each([
    ['9007199254740993', 'number'],
    ['-12345678901234567890', 'number'],
    ['[1, 9007199254740993.0]', 'number'],
    ['9007199254740993e0', 'number'],
    ['{"a":1e400}', 'number'],
    ['"\\ud83e"', 'surrogate'],
    ['"\\udd80\\ud83e"', 'surrogate'],
    ['{"\\uDD80":1}', 'surrogate'],
    ['"\\ud83e\\\\\\udd80"', 'surrogate'],
  ])('finds the problem of %s [E3]', (text, problem) => {
    expect(problemOfText(text)).toBe(problem);
  });

  it('counts members, objects and lists, but not what stands in strings [E15]', () => {
    expect(problemOfText(objects(mostMembers - 1))).toBeUndefined();
    expect(problemOfText(objects(mostMembers))).toBe('too_many_members');
    expect(problemOfText(JSON.stringify(':{['.repeat(mostMembers)))).toBeUndefined();
  });

  it('ends for any text, and finds nothing in what JSON.stringify wrote from short numbers', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void problemOfText(text)));
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        expect(problemOfText(JSON.stringify(value))).toBeUndefined();
      }),
    );
  });
});

describe('serialize', () => {
  it('writes one line for every reader, and the same value [E15]', () => {
    const ends = fc.constantFrom(
      '\n',
      '\r',
      '\v',
      '\f',
      '\u001c',
      '\u001d',
      '\u001e',
      '\u0085',
      '\u2028',
      '\u2029',
      '\\',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: ends }), fc.string({ unit: ends })), (value) => {
        const line = serialize(value);
        expect(hasLineEnd(line)).toBe(false);
        expect(JSON.parse(line)).toEqual(value);
        const indented = onOneLine(JSON.stringify(value, null, 2).replaceAll('\n', '\r\n'));
        expect(hasLineEnd(indented)).toBe(false);
        expect(JSON.parse(indented)).toEqual(value);
      }),
    );
  });
});
