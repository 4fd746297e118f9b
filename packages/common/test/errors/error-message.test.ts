import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { codeOf, kindOf, messageOf, reasonOf } from '../../src/errors/error-message.js';

const text = "Object.assign(new TypeError('failed', { cause: 'the reason' }), { code: 'ENOENT' })";

describe.each([
  ['of this realm', Object.assign(new TypeError('failed', { cause: 'the reason' }), { code: 'ENOENT' })],
  ['of another realm, as in Jest', runInNewContext(text) as unknown],
])('an error %s', (_whose, error) => {
  it('has its code, message, kind and reason', () => {
    expect([codeOf(error), messageOf(error), kindOf(error)]).toEqual(['ENOENT', 'failed', 'TypeError']);
    expect(reasonOf(error)).toBe('TypeError: failed (the reason)');
  });
});

it.each([
  [undefined, 'undefined'],
  ['a text', 'a text'],
  [Object.create(null), 'an error without text'],
])('what is thrown in place of an error has a text: %o', (thrown, expected) => {
  expect([codeOf(thrown), messageOf(thrown), reasonOf(thrown), kindOf(thrown)]).toEqual([
    expected,
    expected,
    expected,
    typeof thrown,
  ]);
});
