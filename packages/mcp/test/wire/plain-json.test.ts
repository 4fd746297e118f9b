import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasLineEnd, onOneLine, serialize } from '../../src/wire/plain-json.js';

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
