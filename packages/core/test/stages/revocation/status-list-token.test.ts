import type { JsonWebKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { statusAt, verifyStatusListToken } from '../../../src/stages/revocation/status-list-token.js';
import { readIssuers, type IssuerOptions } from '../../../src/stages/token/issuers.js';
import { issuer, jws, newIssuerKey, now } from '../token/tokens.js';
import { packed, statusListToken } from './status-list-tokens.js';

const vectors = new URL('../../../../../../shared/vectors/token-status-list/status-list-vectors.json', import.meta.url);

const key = newIssuerKey('Ed25519');
const otherKey = newIssuerKey('Ed25519');
const uri = 'https://id.example/statuslists/1';
const list = { bits: 2, lst: packed(2, [0, 1, 2, 3]) };
const good = { sub: uri, iat: now - 60, exp: now + 600, ttl: 300, status_list: list };

const manyMembers = Object.fromEntries(Array.from({ length: 256 }, (_, index) => [`_${index}`, 1]));

function question(options: Partial<IssuerOptions> = {}) {
  const trusted = readIssuers([{ issuer, jwks: { keys: [key.jwk] }, ...options }]).get(issuer);
  if (trusted === undefined) throw new Error('no issuer');
  return { issuer: trusted, uri, now, clockSkewSeconds: 5 };
}

function verdict(text: string, options?: Partial<IssuerOptions>) {
  return verifyStatusListToken(text, question(options));
}

describe('a valid Status List Token', () => {
  it('yields its list and its times', async () => {
    expect(await verdict(statusListToken(key, good))).toEqual({
      ok: true,
      value: {
        list: { bits: 2, bytes: expect.any(Uint8Array) },
        issuedAt: now - 60,
        expiresAt: now + 600,
        ttlSeconds: 300,
      },
    });
  });

  it.each<[string, object, object?]>([
    ['may omit exp and ttl', { exp: undefined, ttl: undefined }],
    ['may name its issuer', { iss: issuer }],
    ['may carry unrelated claims', { aud: 'https://else.example', purpose: 'x' }],
    ['may carry a list of 100 items', { purpose: Array.from({ length: 100 }, () => 'x') }],
    ['may have the full media type as typ', {}, { typ: 'application/statuslist+jwt' }],
    ['may have expired within the clock skew', { exp: now - 4 }],
    ['may be issued ahead by the clock skew', { iat: now + 5, nbf: now + 5 }],
  ])('%s', async (_title, claims, header) => {
    expect(await verdict(statusListToken(key, { ...good, ...claims }, header))).toMatchObject({ ok: true });
  });
});

describe('verifyStatusListToken refuses [B11]', () => {
  it.each<[string, string, RegExp]>([
    ['another address', statusListToken(key, { ...good, sub: `${uri}0` }), /sub is another address/],
    ['no sub', statusListToken(key, { ...good, sub: undefined }), /sub is another address/],
    ['another iss', statusListToken(key, { ...good, iss: 'https://id.evil.example' }), /iss is another issuer/],
    ['another key', statusListToken(otherKey, good), /signature does not verify/],
    ['no iat', statusListToken(key, { ...good, iat: undefined }), /iat/],
    ['iat in the future', statusListToken(key, { ...good, iat: now + 6 }), /iat/],
    ['expired', statusListToken(key, { ...good, exp: now - 5 }), /expired/],
    ['exp as text', statusListToken(key, { ...good, exp: String(now + 600) }), /exp is not a number/],
    ['nbf in the future', statusListToken(key, { ...good, nbf: now + 6 }), /not valid yet/],
    ['ttl 0', statusListToken(key, { ...good, ttl: 0 }), /ttl/],
    ['ttl negative', statusListToken(key, { ...good, ttl: -1 }), /ttl/],
    ['ttl as text', statusListToken(key, { ...good, ttl: '300' }), /ttl/],
    ['no list', statusListToken(key, { ...good, status_list: undefined }), /status_list is not an object/],
    ['a payload that is a list', jws({ typ: 'statuslist+jwt', alg: key.alg }, [], key), /payload is not a JSON object/],
    [
      'a duplicate claim',
      jws({ typ: 'statuslist+jwt', alg: key.alg }, `{"sub":"${uri}","sub":"${uri}"}`, key),
      /same member twice/,
    ],
    ['a claim with many members [A16]', statusListToken(key, { ...good, purpose: manyMembers }), /too many members/],
    ['a header with many members [A16]', statusListToken(key, good, manyMembers), /header cannot be read/],
    ['an access token [B3]', statusListToken(key, good, { typ: 'at+jwt' }), /typ is not statuslist/],
    ['no typ [B3]', statusListToken(key, good, { typ: undefined }), /typ is not statuslist/],
    ['a CWT [B3]', statusListToken(key, good, { typ: 'application/statuslist+cwt' }), /typ is not statuslist/],
    ['alg none [B1]', statusListToken(key, good, { alg: 'none' }), /alg is not accepted/],
    ['crit [B2]', statusListToken(key, good, { crit: ['b64'], b64: false }), /crit is not accepted/],
    ['an unknown kid [B2]', statusListToken(key, good, { kid: '../1' }), /no single key/],
    ['white space [B2]', `${statusListToken(key, good)}\n`, /no JWS/],
    ['two parts [B2]', 'e30.e30', /no JWS/],
    ['an empty text', '', /no JWS/],
  ])('%s', async (_title, text, problem) => {
    expect(await verdict(text)).toMatchObject({ ok: false, problem: expect.stringMatching(problem) });
  });

  it('an algorithm that is not allowed for this issuer', async () => {
    const rs256 = newIssuerKey('RS256');
    const keys = { jwks: { keys: [key.jwk, rs256.jwk] } };
    expect(await verdict(statusListToken(rs256, good), keys)).toMatchObject({ ok: true });
    expect(await verdict(statusListToken(rs256, good), { ...keys, algorithms: ['Ed25519'] })).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/alg is not allowed/),
    });
  });
});

it('an expired list is accepted for the configured stale seconds only', async () => {
  const options = { dangerouslyAllowStaleStatusSeconds: 60 };
  expect(await verdict(statusListToken(key, { ...good, exp: now - 64 }), options)).toMatchObject({ ok: true });
  expect(await verdict(statusListToken(key, { ...good, exp: now - 65 }), options)).toMatchObject({ ok: false });
});

it.each([-1, 0.5, 86_401, Number.NaN, '60'])('dangerouslyAllowStaleStatusSeconds refuses %j', (seconds) => {
  expect(() => question({ dangerouslyAllowStaleStatusSeconds: seconds as number })).toThrow(
    /'dangerouslyAllowStaleStatusSeconds' must be a whole number from 0 to 86400/,
  );
});

describe.skipIf(!existsSync(vectors))('the example of the draft, §5.1', () => {
  it('verifies with the key of its issuer', async () => {
    const { statusListJwt, issuerJwk } = JSON.parse(readFileSync(vectors, 'utf8')) as {
      readonly statusListJwt: string;
      readonly issuerJwk: JsonWebKey;
    };
    const trusted = readIssuers([{ issuer: 'https://example.com', jwks: { keys: [{ ...issuerJwk }] } }]);
    const example = 'https://example.com/statuslists/1';
    const read = await verifyStatusListToken(statusListJwt, {
      issuer: trusted.get('https://example.com')!,
      uri: example,
      now: 1_700_000_000,
      clockSkewSeconds: 5,
    });
    expect(read).toMatchObject({ ok: true, value: { issuedAt: 1_686_920_170, expiresAt: 2_291_720_170 } });
    if (read.ok) expect([0, 1, 2, 3, 15].map((index) => statusAt(read.value.list, index))).toEqual([1, 0, 0, 1, 1]);
  });
});
