import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseStrictJson } from '../../src/json/strict-json.js';

describe('parseStrictJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes('__proto__'));
        const read = parseStrictJson(text);
        expect(read).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  it('never throws, on text or bytes', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof parseStrictJson(text).ok === 'boolean'));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => typeof parseStrictJson(bytes).ok === 'boolean'));
  });

  it.each([
    ['{"a":1,"a":2}'],
    ['{"a":1,"\\u0061":2}'],
    ['{"outer":{"exp":1,"b":[],"exp":2}}'],
    ['[[{"a":{},"b":{"a":1},"a" :1}]]'],
    ['{"a\\"":1,"a\\"":2}'],
    ['{"":1,"":2}'],
  ])('a member that occurs twice is refused: %s [B6]', (text) => {
    expect(JSON.parse(text)).toBeTruthy();
    expect(parseStrictJson(text)).toMatchObject({ ok: false, problem: 'it has the same member twice' });
  });

  it.each([
    ['{"a":"a","b":"a"}'],
    ['{"a":{"a":{"a":[{"a":1},{"a":1}]}}}'],
    ['["a","a",{"a":":"}]'],
    ['{"a":"\\"b\\":1,\\"b\\":2","b":1}'],
  ])('the same text in other places is no duplicate: %s', (text) => {
    expect(parseStrictJson(text)).toMatchObject({ ok: true });
  });

  it('refuses __proto__ as a member, in any spelling', () => {
    expect(parseStrictJson('{"__proto__":{"admin":true}}').ok).toBe(false);
    expect(parseStrictJson('{"a":[{"\\u005f_proto__":1}]}').ok).toBe(false);
    expect(parseStrictJson('{"a":"__proto__"}').ok).toBe(true);
  });

  it('refuses deep nesting, a byte order mark and bytes that are not UTF-8', () => {
    expect(parseStrictJson('['.repeat(32) + ']'.repeat(32)).ok).toBe(true);
    expect(parseStrictJson('['.repeat(33) + ']'.repeat(33)).ok).toBe(false);
    expect(parseStrictJson('['.repeat(500_000) + ']'.repeat(500_000)).ok).toBe(false);
    expect(parseStrictJson(Buffer.from('\ufeff{}')).ok).toBe(false);
    expect(parseStrictJson(Buffer.from([0x22, 0xff, 0x22])).ok).toBe(false);
  });

  it('refuses deep nesting before the parser sees it [I2]', () => {
    const parse = vi.spyOn(JSON, 'parse');
    expect(parseStrictJson('['.repeat(1_000_000)).ok).toBe(false);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  it.each([
    ['{"a":1,"b":{"c":",:[{"}}', 6],
    ['["a",[2],{"a":1}]', 6],
    ['{}', 1],
    ['"a:"', 0],
  ])('counts the commas, colons and opening brackets of %s', (text, count) => {
    expect(parseStrictJson(text, count)).toEqual({ ok: true, value: JSON.parse(text) });
    if (count > 0) expect(parseStrictJson(text, count - 1).ok).toBe(false);
  });

  it.each([
    ['members', `{${Array.from({ length: 65 }, (_, index) => `"${index}":1`).join(',')}}`],
    ['items', `[${'1,'.repeat(64)}1]`],
    ['lists', `[${'[],'.repeat(64)}[]]`],
    ['colons', `{${Array.from({ length: 65 }, (_, index) => `"${index}":`).join('')}1}`],
  ])('refuses too many %s before the parser sees them [A16]', (_what, text) => {
    const parse = vi.spyOn(JSON, 'parse');
    expect(parseStrictJson(text, 64)).toEqual({ ok: false, problem: 'it has too many members or items' });
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  it('reads a megabyte of text and of escapes', () => {
    expect(parseStrictJson(JSON.stringify({ a: 'x'.repeat(1_000_000) })).ok).toBe(true);
    expect(parseStrictJson(JSON.stringify({ a: '"\\'.repeat(300_000) })).ok).toBe(true);
  });

  it('never quotes what was sent', () => {
    const read = parseStrictJson('{"secret-value');
    expect(JSON.stringify(read)).not.toContain('secret');
  });
});
