import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ambiguityOfJson } from '../../src/json/json-ambiguity.js';

function objects(count: number): string {
  return JSON.stringify(Array.from({ length: count }, () => ({})));
}

function items(length: number): string {
  return JSON.stringify(Array.from({ length }, () => 0));
}

const mostMembers = 1000;

describe('ambiguityOfJson', () => {
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
    expect(ambiguityOfJson(text)).toBeUndefined();
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
    expect(ambiguityOfJson(text)).toBe(problem);
  });

  it('counts members, objects and lists, but not what stands in strings [E15]', () => {
    expect(ambiguityOfJson(objects(mostMembers - 1), mostMembers)).toBeUndefined();
    expect(ambiguityOfJson(objects(mostMembers), mostMembers)).toBe('too_many_members');
    expect(ambiguityOfJson(objects(mostMembers))).toBeUndefined();
    expect(ambiguityOfJson(JSON.stringify(':{['.repeat(mostMembers)), mostMembers)).toBeUndefined();
  });

  it('counts a tenth of the values, but not what stands in strings [E15]', () => {
    expect(ambiguityOfJson(items(mostMembers * 10), mostMembers)).toBeUndefined();
    expect(ambiguityOfJson(items(mostMembers * 10 + 2), mostMembers)).toBe('too_many_members');
    expect(ambiguityOfJson(JSON.stringify(items(mostMembers * 10 + 2)), mostMembers)).toBeUndefined();
  });

  it('ends for any text, and finds nothing in what JSON.stringify wrote from short numbers', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void ambiguityOfJson(text)));
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        expect(ambiguityOfJson(JSON.stringify(value))).toBeUndefined();
      }),
    );
  });
});
