import { type Arbitrary, assert, constantFrom, oneof, property, record, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { readRevocation, type Revocable, revocationKey } from '../../../src/stages/revocation/revocable.js';

const thumbprint = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';

describe('readRevocation', () => {
  it.each<[object]>([
    [{ agent: 'agent-1' }],
    [{ key: thumbprint }],
    [{ subject: 'user_123' }],
    [{ subject: 'user_123', issuer: 'https://id.acme.dev' }],
    [{ delegation: '7c9e', issuer: 'agent-1', until: 1_790_000_000 }],
    [{ issuer: 'https://id.acme.dev', until: 1 }],
  ])('accepts %j', (revocation) => {
    expect(readRevocation('revoke', revocation)).toEqual(revocation);
  });

  it.each<[unknown, RegExp]>([
    ['agent-1', /write an object, like \{ agent/],
    [null, /write an object/],
    [[], /write an object/],
    [{}, /say what, with one of agent, key, subject, delegation, issuer/],
    [{ until: 5 }, /say what/],
    [{ agnet: 'agent-1' }, /Did you mean 'agent'/],
    [{ agent: '' }, /'agent' must be visible text/],
    [{ agent: 'agent-1 ' }, /visible text/],
    [{ agent: 7 }, /visible text/],
    [{ agent: 'agent-1', key: thumbprint }, /unknown option 'key'/],
    [{ agent: 'agent-1', issuer: 'https://id.acme.dev' }, /unknown option 'issuer'/],
    [{ key: 'JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=' }, /thumbprint of the key, not the key itself/],
    [{ subject: 'user_123', issuer: 1 }, /'issuer' must be visible text/],
    [{ agent: 'agent-1', until: '1790000000' }, /'until' must be a whole number/],
    [{ agent: 'agent-1', until: 0 }, /'until'/],
    [{ agent: 'agent-1', until: 1.5 }, /'until'/],
    [{ agent: 'agent-1', until: 1_790_000_000_000 }, /these are milliseconds: divide by 1000/],
    [{ agent: 'agent-1', until: 1e11 }, /milliseconds/],
  ])('refuses %j', (value, message) => {
    expect(() => readRevocation('revoke', value)).toThrow(ConfigError);
    expect(() => readRevocation('revoke', value)).toThrow(message);
  });

  it('refuses another kind than the expected one', () => {
    expect(() => readRevocation('keys', { agent: 'agent-1' }, 'key')).toThrow(/unknown option 'agent'/);
  });
});

function byName(one: Revocable): string {
  return JSON.stringify(Object.entries(one).toSorted(([a], [b]) => a.localeCompare(b)));
}

describe('revocationKey', () => {
  const id = oneof(string(), constantFrom('a', '"', '","', '["agent","a"]'));
  const revocable: Arbitrary<Revocable> = oneof(
    record({ agent: id }),
    record({ key: id }),
    record({ subject: id, issuer: id }, { requiredKeys: ['subject'] }),
    record({ delegation: id, issuer: id }, { requiredKeys: ['delegation'] }),
    record({ issuer: id }),
  );

  it('is equal for equal revocables only', () => {
    assert(
      property(revocable, revocable, (a, b) => (revocationKey(a) === revocationKey(b)) === (byName(a) === byName(b))),
      { numRuns: 300 },
    );
  });

  it('does not depend on until', () => {
    const revocation = { agent: 'agent-1', until: 5 };
    expect(revocationKey(revocation)).toBe(revocationKey({ agent: 'agent-1' }));
  });
});
