import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { codeOf, isA, kindOf, messageOf, reasonOf } from '../../src/errors/error-message.js';

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
  ['a revoked proxy', revoked()],
  [
    'an error whose members throw',
    Object.defineProperties(new Error('x'), { name: fails(), message: fails(), cause: fails(), code: fails() }),
  ],
])('%s that is thrown has a text, and is no error of ours', (_what, thrown) => {
  expect(isA(thrown, TypeError)).toBe(false);
  for (const read of [codeOf, messageOf, reasonOf, kindOf]) expect(read(thrown)).toEqual(expect.any(String));
});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function fails(): PropertyDescriptor {
  return {
    get() {
      throw new Error('hidden');
    },
  };
}

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
