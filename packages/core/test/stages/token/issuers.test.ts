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
  it('G5 fills in the defaults', () => {
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
  ])('B4 %j cannot', (issuer) =>
    expect(problemOf({ issuer, jwks })).toMatch(/^ConfigError: issuer '.*(https|plain http)/s),
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
    ['A14 an issuer to be discovered at a private address', { issuer: 'https://10.0.0.1' }, /public address/],
    ['A14 an issuer to be discovered over http', { issuer: 'http://localhost:3000' }, /plain http/],
    ['an empty set', { jwks: { keys: [] } }, /none of its keys/],
    ['no set', { jwks: [] }, /not a JWK Set/],
    ['B1 a symmetric key', { jwks: { keys: [...jwks.keys, { kty: 'oct', k: 'c2VjcmV0' }] } }, /symmetric/],
    ['A8 a private key', { jwks: { keys: [{ ...jwks.keys[0], d: 'x' }] } }, /private key/],
    [
      'A15 a weak key',
      { jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') }] } },
      /weak/,
    ],
    ['B1 algorithm none', { jwks, algorithms: ['none'] }, /'algorithms' must list/],
    ['B1 HMAC', { jwks, algorithms: ['EdDSA', 'HS256'] }, /'algorithms' must list/],
    ['no algorithm', { jwks, algorithms: [] }, /'algorithms' must list/],
    ['algorithms that fit no key', { jwks, algorithms: ['ES256'] }, /none of its keys verifies ES256/],
    ['a lifetime of nothing', { jwks, maxLifetimeSeconds: 0 }, /maxLifetimeSeconds/],
    ['a lifetime that is no number', { jwks, maxLifetimeSeconds: '3600' }, /maxLifetimeSeconds/],
    ['an invisible namespace', { jwks, subjectNamespace: 'acme\u200b:' }, /subjectNamespace/],
  ])('G5 refuses %s', (_, options, message) => {
    const problem = problemOf({ issuer: 'https://id.example', ...options });
    expect(problem).toMatch(message);
    expect(problem).toMatch(/issuer 'https?:/);
  });

  it('C5 of several issuers all but one need a namespace of their own', () => {
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

  it('G5 refuses what are no issuers', () => {
    expect(problemOf('https://id.example')).toMatch(/objects like/);
    expect(() => readIssuers('https://id.example' as unknown as IssuerOptions[])).toThrow(ConfigError);
  });
});
