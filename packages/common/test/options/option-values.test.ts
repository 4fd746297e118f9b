import { expect, it } from 'vitest';
import { ConfigError } from '../../src/errors/config-error.js';
import {
  flagOption,
  functionOption,
  integerOption,
  numberOption,
  oneOfOption,
} from '../../src/options/option-values.js';

it.each<[string, () => unknown, string]>([
  ['a fraction', () => integerOption('f', 'count', 1.5, 1, 9), "f: 'count' must be a whole number from 1 to 9."],
  [
    'a number that is too large',
    () => integerOption('f', 'count', 10, 1, 9),
    "f: 'count' must be a whole number from 1 to 9.",
  ],
  ['a number in text', () => integerOption('f', 'count', '5', 1, 9), "f: 'count' must be a whole number from 1 to 9."],
  ['NaN', () => numberOption('f', 'seconds', Number.NaN, 0.05, 9), "f: 'seconds' must be a number from 0.05 to 9."],
  ['less than the least', () => integerOption('f', 'count', 0, 1), "f: 'count' must be a whole number, at least 1."],
  ['another text', () => oneOfOption('f', 'mode', 'A', ['a', 'b', 'c']), "f: 'mode' must be 'a', 'b' or 'c'."],
  ['a list for a text', () => oneOfOption('f', 'mode', ['a'], ['a', 'b']), "f: 'mode' must be 'a' or 'b'."],
  ['a flag in text', () => flagOption('f', 'open', 'false'), "f: 'open' must be true or false."],
  ['a time as clock', () => functionOption('f', 'clock', 5), "f: 'clock' must be a function."],
])('an option refuses %s [G5]', (_name, read, message) => {
  expect(read).toThrow(new ConfigError(message));
});

it('an option returns a value that is right', () => {
  expect(integerOption('f', 'count', 9, 1, 9)).toBe(9);
  expect(numberOption('f', 'seconds', 0.5, 0.05, 9)).toBe(0.5);
  expect(integerOption('f', 'count', 2 ** 40, 1)).toBe(2 ** 40);
  expect(oneOfOption('f', 'mode', 'b', ['a', 'b'])).toBe('b');
  expect(flagOption('f', 'open', false)).toBe(false);
  expect(functionOption('f', 'clock', Date.now)).toBe(Date.now);
});
