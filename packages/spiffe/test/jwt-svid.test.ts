import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { trustDomain } from '../../../test/support/trust-domain.js';
import { readBundle } from '../src/bundle.js';
import { audienceForKey, readJwtSvid } from '../src/index.js';
import { hasVectors, readVectors } from './vectors.js';

const audience = 'https://id.acme.dev';
const now = Math.floor(Date.now() / 1000);
const domain = trustDomain();

function authoritiesOf(bundle: object, options = {}) {
  const read = readBundle(JSON.stringify(bundle), options);
  return read.ok ? read.value.jwtAuthorities : [];
}

function verify(token: string, authorities = authoritiesOf(domain.bundle())) {
  const read = readJwtSvid(token);
  return read.ok ? read.value.verify(authorities, { audience, now }) : read;
}

function verifyRsa(modulusLength: number, alg: 'RS256' | 'PS256'): boolean {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const jwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: 'rsa', use: 'jwt-svid' };
  const [head = '', body = ''] = domain.jwtSvid('/agent/a', audience, { header: { alg, kid: 'rsa' } }).split('.');
  const options = alg === 'PS256' ? { padding: 6, saltLength: 32 } : {};
  const signature = sign('sha256', Buffer.from(`${head}.${body}`), { key: privateKey, ...options });
  return verify(`${head}.${body}.${signature.toString('base64url')}`, authoritiesOf({ keys: [jwk] })).ok;
}

describe('a JWT-SVID', () => {
  it('is verified with a key of its trust domain', () => {
    expect(verify(domain.jwtSvid('/agent/a', audience))).toEqual({
      ok: true,
      value: {
        id: 'spiffe://example.org/agent/a',
        trustDomain: 'example.org',
        path: '/agent/a',
        expiresAt: expect.any(Number),
        audience,
      },
    });
  });

  it('says which of several audiences it is for', () => {
    const either = (aud: string) => {
      const read = readJwtSvid(domain.jwtSvid('/agent/a', aud));
      const terms = { audience: [audienceForKey(audience, 'thumbprint'), audience], now };
      return read.ok ? read.value.verify(authoritiesOf(domain.bundle()), terms) : read;
    };
    expect(either(audience)).toMatchObject({ value: { audience } });
    expect(either(`${audience}#jkt=thumbprint`)).toMatchObject({ value: { audience: `${audience}#jkt=thumbprint` } });
    expect(either(`${audience}#jkt=another`)).toMatchObject({ ok: false });
  });

  it('is verified with a bundle whose keys have the use jwt-svid, or none as at the Workload API', () => {
    const keys = domain.bundle().keys.map(({ use: _use, ...key }) => key);
    const token = domain.jwtSvid('/agent/a', audience);
    expect(verify(token, authoritiesOf({ keys }, { jwtOnly: true })).ok).toBe(true);
    expect(verify(token, authoritiesOf({ keys })).ok).toBe(false);
  });

  it.each([
    ['several audiences', { claims: { aud: [audience, 'https://other.acme.dev'] } }],
    ['another audience', { claims: { aud: 'https://other.acme.dev' } }],
    ['no audience', { claims: { aud: undefined } }],
    ['no expiry', { claims: { exp: undefined } }],
    ['an expiry that is over', { claims: { exp: now - 60 } }],
    ['an expiry that is a text', { claims: { exp: String(now + 60) } }],
    ['a start in the future', { claims: { nbf: now + 60 } }],
    ['an issue in the future', { claims: { iat: now + 60 } }],
    ['no subject', { claims: { sub: undefined } }],
    ['a subject that is no SPIFFE ID', { claims: { sub: 'agent-a' } }],
    ['the ID of the trust domain itself', { claims: { sub: 'spiffe://example.org' } }],
    ['the type of an access token', { header: { typ: 'at+jwt' } }],
    ['no key', { header: { kid: undefined } }],
    ['an unknown key', { header: { kid: 'other' } }],
    ['a critical header', { header: { crit: ['b64'], b64: true } }],
    ['the algorithm none', { header: { alg: 'none' } }],
    ['an algorithm of another curve', { header: { alg: 'ES384' } }],
    ['an algorithm of another kind of key', { header: { alg: 'RS256' } }],
    ['the algorithm EdDSA', { header: { alg: 'EdDSA' } }],
    ['an algorithm that is a method of objects', { header: { alg: 'toString' } }],
  ])('is refused with %s [B1, B3, B5, B6]', (_what, change) => {
    expect(verify(domain.jwtSvid('/agent/a', audience, change)).ok).toBe(false);
  });

  it('is refused if it is signed with HMAC by the public key [B1]', () => {
    const head = Buffer.from(JSON.stringify({ alg: 'HS256', kid: domain.kid })).toString('base64url');
    const [, body = ''] = domain.jwtSvid('/agent/a', audience).split('.');
    const pem = createPublicKey(domain.jwtKey).export({ format: 'pem', type: 'spki' });
    const mac = createHmac('sha256', pem).update(`${head}.${body}`).digest('base64url');
    expect(verify(`${head}.${body}.${mac}`).ok).toBe(false);
  });

  it.each(['', 'a.b', 'a.b.c', 'a.b.c.d', '..', '!.!.!', 'x'.repeat(20_000)])('is no JWT: %j [A16]', (text) => {
    expect(readJwtSvid(text).ok).toBe(false);
  });

  it('is refused if another key of the same name signed it, or if it was changed [B1, B4]', () => {
    const other = trustDomain();
    const [head = '', body = '', mac = ''] = other
      .jwtSvid('/agent/a', audience, { header: { kid: domain.kid } })
      .split('.');
    expect(verify(`${head}.${body}.${mac}`).ok).toBe(false);
    const [ownHead = '', , ownMac = ''] = domain.jwtSvid('/agent/b', audience).split('.');
    expect(verify(`${ownHead}.${body}.${ownMac}`).ok).toBe(false);
  });

  it('is verified with RSA, and not with a short key', () => {
    expect([verifyRsa(2048, 'RS256'), verifyRsa(2048, 'PS256'), verifyRsa(1024, 'RS256')]).toEqual([true, true, false]);
  });

  it('is verified with one key only, and with none when its claims are refused already [A14]', () => {
    const asked: string[] = [];
    const [authority] = authoritiesOf(domain.bundle());
    const counted = (name: string) => ({
      kid: domain.kid,
      get publicKey() {
        asked.push(name);
        return (name === 'own' ? authority : authoritiesOf(trustDomain().bundle())[0])?.publicKey as KeyObject;
      },
    });
    expect(verify(domain.jwtSvid('/agent/a', audience), [counted('other'), counted('own')]).ok).toBe(false);
    expect(asked).toEqual(['other']);
    verify(domain.jwtSvid('/agent/a', audience, { claims: { exp: now - 60 } }), [counted('own')]);
    expect(asked).toEqual(['other']);
  });

  it.runIf(hasVectors)('agrees with go-spiffe about its cases', () => {
    const { cases } = readVectors('jwt-svid-cases.json') as { cases: VectorCase[] };
    const vectorDomain = trustDomain('trustdomain');
    const { kid } = vectorDomain;
    for (const { name, valid, token, drop = [], set = {}, typ, signWith, expectAudience, ...rest } of cases) {
      const named = 'kid' in rest && rest.kid !== 'authority1' ? { kid: rest.kid ?? undefined } : { kid };
      const claims = Object.fromEntries([
        ...Object.entries(set).map(([claim, value]) => [claim, value === 'now-60' ? now - 60 : value]),
        ...drop.map((claim) => [claim, undefined]),
      ]) as Record<string, unknown>;
      const signer = signWith === undefined ? vectorDomain : trustDomain('trustdomain');
      const header = { ...named, ...(typ !== undefined && { typ }) };
      const made = token ?? signer.jwtSvid('/host', 'audience', { claims, header });
      const read = readJwtSvid(made);
      const known = read.ok && read.value.trustDomain === 'trustdomain' ? authoritiesOf(vectorDomain.bundle()) : [];
      const result = read.ok && read.value.verify(known, { audience: expectAudience ?? 'audience', now }).ok;
      expect([name, result]).toEqual([name, valid]);
    }
  });
});

interface VectorCase {
  readonly name: string;
  readonly valid: boolean;
  readonly token?: string;
  readonly drop?: readonly string[];
  readonly set?: Readonly<Record<string, unknown>>;
  readonly kid?: string | null;
  readonly typ?: string;
  readonly signWith?: string;
  readonly expectAudience?: string;
}
