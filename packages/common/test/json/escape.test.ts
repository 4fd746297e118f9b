import { expect, it } from 'vitest';
import { quoteForLog } from '../../src/json/escape.js';

it.each<[string | readonly string[], string]>([
  ['https://a.example', '"https://a.example"'],
  [['a', 'b'], '"a", "b"'],
  [['a', 'b', 'c', 'd'], '"a", "b", "c", …'],
  [[], ''],
  ['a"\n', String.raw`"a\"\n"`],
  ['x'.repeat(5000), `"${'x'.repeat(100)}"`],
])('quotes few names, and short: %# [F3]', (names, text) => {
  expect(quoteForLog(names)).toBe(text);
});
