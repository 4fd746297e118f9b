import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseDictionary, readSingleBytes } from '../../src/structured-fields/parse.js';
import { isInnerList } from '../../src/structured-fields/types.js';

const key = fc.constantFrom('sig', 'sha-256', '*', 'a.b', 'Sig', '1', '', ' sig');
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 8 }).map((value) => Buffer.from(value).toString('base64')),
  fc.constantFrom('', 'YQ', 'YQ=', 'YR==', 'YQ==', '=', 'Y Q==', 'é', 'YQ==:a'),
);
const end = fc.constantFrom('', '', '', ';a', ' ', ', b=1', ',', '\n');

it('a dictionary of one Byte Sequence is read as the parser reads it, or left to it', () => {
  let read = 0;
  fc.assert(
    fc.property(key, bytes, end, (name, text, rest) => {
      const value = `${name}=:${text}:${rest}`;
      const only = readSingleBytes(value);
      if (only === undefined) return;
      read += 1;
      const parsed = parseDictionary(value, { duplicates: 'refuse' });
      const members = parsed.ok ? [...parsed.value] : [];
      expect(members).toHaveLength(1);
      const [[parsedKey, member] = []] = members;
      expect(parsedKey).toBe(only[0]);
      if (member === undefined || isInnerList(member)) throw new Error('not an item');
      expect(member.value).toEqual({ type: 'bytes', value: only[1] });
      expect(member.parameters.size).toBe(0);
    }),
    { numRuns: 3000 },
  );
  expect(read).toBeGreaterThan(100);
});
