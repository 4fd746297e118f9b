import { expect, test } from 'vitest';
import { defined } from '../../src/index.js';

test('defined drops the members without a value and keeps the order of the others', () => {
  const kept = defined({ b: 1, a: undefined, c: null, d: false, e: '' });
  expect(Object.entries(kept)).toEqual([
    ['b', 1],
    ['c', null],
    ['d', false],
    ['e', ''],
  ]);
});

test('defined makes a new object', () => {
  const members = { a: 1 };
  expect(defined(members)).not.toBe(members);
});
