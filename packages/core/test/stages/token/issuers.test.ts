import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { type IssuerOptions, readIssuers } from '../../../src/stages/token/issuers.js';
import { newIssuerKey } from './tokens.js';

const jwks = { keys: [newIssuerKey('Ed25519').jwk] };

function problemOf(...issuers: unknown[]): string {
  try {
    readIssuers(issuers as IssuerOptions[]);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return String(error);
  }
  return 'accepted';
}

describe('readIssuers', () => {
  it('fills in the defaults [G5]', () => {
    expect([...readIssuers([{ issuer: 'https://id.example', jwks }]).values()]).toMatchObject([
      {
        issuer: 'https://id.example',
        maxLifetimeSeconds: 3600,
        namespace: '',
        algorithms: ['Ed25519', 'EdDSA', 'ES256', 'ES384', 'PS256', 'RS256'],
      },
    ]);
    expect(readIssuers([]).size).toBe(0);
  });

  it.each([
    'https://id.example',
    'https://id.example/',
    'https://id.example/tenant/1',
    'https://id.example:8443',
    'http://localhost:3000',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ])('%s can be an issuer', (issuer) => expect(problemOf({ issuer, jwks })).toBe('accepted'));

  it.each([
    'http://id.example',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'https://id.example?tenant=1',
    'https://id.example#1',
    'https://id.example/?',
    'https://user@id.example',
    ' https://id.example',
    'https://id.example\n',
    'id.example',
    'HTTPS://id.example',
    '',
    undefined,
    7,
  ])('%j cannot [B4]', (issuer) =>
    expect(problemOf({ issuer, jwks })).toMatch(/^ConfigError: issuer.*(https|plain http)/s),
  );

  it.each([
    ['keys twice', { jwks, jwksUri: 'https://id.example/jwks' }, /with 'jwks' or with 'jwksUri'/],
    ['a misspelt option', { jwksUrl: 'https://id.example/jwks' }, /Did you mean 'jwksUri'/],
    ['an option that does not exist', { jwks, subject: 'email' }, /unknown option 'subject'/],
    ['no audience', { jwks, audience: [] }, /'audience' must name/],
    ['an empty audience', { jwks, audience: ['https://api.example', ''] }, /'audience' must name/],
    ['an audience that is no text', { jwks, audience: 7 }, /'audience' must name/],
    ['an http jwksUri', { jwksUri: 'http://id.example/jwks' }, /plain http/],
    ['a private jwksUri', { jwksUri: 'https://10.0.0.1/jwks' }, /public address/],
    ['an issuer to be discovered at a private address [A14]', { issuer: 'https://10.0.0.1' }, /public address/],
    ['an issuer to be discovered over http [A14]', { issuer: 'http://localhost:3000' }, /plain http/],
    ['an empty set', { jwks: { keys: [] } }, /none of its keys/],
    ['no set', { jwks: [] }, /not a JWK Set/],
    ['a symmetric key [B1]', { jwks: { keys: [...jwks.keys, { kty: 'oct', k: 'c2VjcmV0' }] } }, /symmetric/],
    ['a private key [A8]', { jwks: { keys: [{ ...jwks.keys[0], d: 'x' }] } }, /private key/],
    [
      'a weak key [A15]',
      { jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') }] } },
      /weak/,
    ],
    ['algorithm none [B1]', { jwks, algorithms: ['none'] }, /'algorithms' must list/],
    ['HMAC [B1]', { jwks, algorithms: ['EdDSA', 'HS256'] }, /'algorithms' must list/],
    ['no algorithm', { jwks, algorithms: [] }, /'algorithms' must list/],
    ['algorithms that fit no key', { jwks, algorithms: ['ES256'] }, /none of its keys verifies ES256/],
    ['a lifetime of nothing', { jwks, maxLifetimeSeconds: 0 }, /maxLifetimeSeconds/],
    ['a lifetime that is no number', { jwks, maxLifetimeSeconds: '3600' }, /maxLifetimeSeconds/],
    ['an invisible namespace', { jwks, subjectNamespace: 'acme\u200b:' }, /subjectNamespace/],
  ])('refuses %s [G5]', (_, options, message) => {
    const problem = problemOf({ issuer: 'https://id.example', ...options });
    expect(problem).toMatch(message);
    expect(problem).toMatch(/issuer 'https?:/);
  });

  it('of several issuers all but one need a namespace of their own [C5]', () => {
    const one = { issuer: 'https://one.example', jwks };
    const two = { issuer: 'https://two.example', jwks };
    const three = { issuer: 'https://three.example', jwks };
    expect(problemOf(one, two)).toMatch(/issuer 'https:\/\/two.example': give it a 'subjectNamespace'.*same sub/s);
    expect(problemOf(one, { ...two, subjectNamespace: 'two:' })).toBe('accepted');
    expect(problemOf(one, { ...two, subjectNamespace: 'x:' }, { ...three, subjectNamespace: 'x:' })).toMatch(/neither/);
    expect(problemOf(one, { ...two, subjectNamespace: 'x:' }, { ...three, subjectNamespace: 'x:y:' })).toMatch(
      /neither/,
    );
    expect(problemOf({ ...two, subjectNamespace: 'x:' }, { ...three, subjectNamespace: 'y:' })).toBe('accepted');
    expect(problemOf(one, one)).toMatch(/listed twice/);
  });

  it('refuses what are no issuers [G5]', () => {
    expect(problemOf('https://id.example')).toMatch(/objects like/);
    expect(() => readIssuers('https://id.example' as unknown as IssuerOptions[])).toThrow(ConfigError);
  });
});
