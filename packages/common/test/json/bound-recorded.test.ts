import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { boundRecorded, isRecordedAs } from '../../src/json/bound-recorded.js';
import { boundString } from '../../src/json/escape.js';

const anyText = fc.string({ unit: fc.constantFrom('a', 'b', '…', '[', '+', '1', ']', '🙂', '\ud83d'), maxLength: 200 });

it('knows a text by its cut form, at whatever length it was cut [F3]', () => {
  fc.assert(
    fc.property(anyText, fc.nat(200), (text, most) => {
      expect(isRecordedAs(boundRecorded(text, most), text)).toBe(!/\p{Cs}/u.test(text) || text.length > most);
      if (text.length > most) expect(isRecordedAs(boundString(text, most), text)).toBe(true);
    }),
  );
});

it.each<[string, string]>([
  ['another digest', boundRecorded(`${'a'.repeat(100)}b`, 100)],
  ['another beginning', boundRecorded(`b${'a'.repeat(100)}`, 100)],
  ['another length', boundRecorded('a'.repeat(102), 100)],
  ['another length without a digest', boundString('a'.repeat(102), 100)],
  ['the beginning alone', 'a'.repeat(100)],
  ['a mark alone', '…[+1]'],
])('does not take a text for one with %s [F3]', (_title, recorded) => {
  expect(isRecordedAs(recorded, 'a'.repeat(101))).toBe(false);
});
