import { describe, expect, it } from 'vitest';
import { readDer, readInner } from '../src/der.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('DER', () => {
  it('is read element by element, with lengths of one byte and more', () => {
    const long = Buffer.alloc(300, 7);
    const elements = readDer(Buffer.concat([bytes('0500 0401ff 0482012c'), long]));
    expect(elements.map(({ tag, content, raw }) => [tag, content.length, raw.length])).toEqual([
      [5, 0, 2],
      [4, 1, 3],
      [4, 300, 304],
    ]);
    expect(readDer(Buffer.alloc(0))).toEqual([]);
    expect(readInner(bytes('3003 0401ff'), 0x30)).toMatchObject([{ tag: 4 }]);
  });

  it.each([
    '04',
    '0402 ff',
    '0480 ff 0000',
    '048101 ff',
    '04820001 ff',
    '0485 0000000001 ff',
    '0484 ffffffff ff',
    '0500 04',
  ])('is not %s: a length is missing, cut off, indefinite or has another spelling [A16]', (hex) => {
    expect(() => readDer(bytes(hex))).toThrow(/DER|cut off/);
  });

  it.each(['1f06 00', '9f06 00', 'bf06 00'])('is not %s: a tag of several bytes [A16]', (hex) => {
    expect(() => readDer(bytes(hex))).toThrow('several bytes');
  });

  it.each(['', '0500', '3000 0500'])('has not one element with the tag in %j', (hex) => {
    expect(() => readInner(bytes(hex), 0x30)).toThrow('another tag');
  });
});
