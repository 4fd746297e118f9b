import { createHash, createSecretKey } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import type { IssuerOptions } from '../../../src/stages/token/issuers.js';
import {
  createTokenVerifier,
  type TokenVerifier,
  type TokenVerifierOptions,
} from '../../../src/stages/token/token-verifier.js';
import { local, startServer } from '../../remote/json-server.js';
import { audience, claims, header, issuer, jws, newIssuerKey, now, signatureOf } from './tokens.js';

const key = newIssuerKey('Ed25519');
const other = newIssuerKey('Ed25519');

function verifier(
  options: Partial<TokenVerifierOptions> = {},
  issuerOptions: Partial<IssuerOptions> = {},
): TokenVerifier {
  const issuers = [{ issuer, jwks: { keys: [key.jwk] }, ...issuerOptions } as IssuerOptions];
  return createTokenVerifier({ issuers, audiences: [audience], clockSkewSeconds: 5, ...options });
}

async function codeOf(token: string, tokens = verifier(), at = now): Promise<string> {
  const result = await tokens.verify(token, at);
  return result.ok ? 'ok' : result.code;
}

const minted = (changes: object, changedHeader: object = {}): string =>
  jws({ ...header, ...changedHeader }, { ...claims, ...changes }, key);

describe('a good token', () => {
  it('yields its claims and hash, frozen', async () => {
    const token = minted({});
    const result = await verifier().verify(token, now);
    expect(result).toEqual({
      ok: true,
      token: {
        claims: {
          issuer,
          subject: 'user_123',
          audience: [audience],
          expiresAt: now + 300,
          issuedAt: now,
          id: 'delegation-1',
          clientId: 'agent-a',
          scope: ['repo:read', 'pr:write:draft'],
          actor: { subject: 'agent-a' },
          priorActors: [],
        },
        namespace: '',
        client: 'agent-a',
        issuer: expect.objectContaining({ issuer, namespace: '' }),
        hash: createHash('sha256').update(token).digest('base64url'),
      },
    });
    if (!result.ok) return;
    const { token: verified } = result;
    expect(
      [verified, verified.claims, verified.claims.scope, verified.claims.audience, verified.claims.actor].every(
        Object.isFrozen,
      ),
    ).toBe(true);
  });

  it.each(['Ed25519', 'EdDSA', 'ES256', 'ES384', 'RS256', 'PS256'])('may be signed with %s', async (alg) => {
    const signer = newIssuerKey(alg, { kid: 'k' });
    const tokens = verifier({}, { jwks: { keys: [key.jwk, signer.jwk] } });
    const token = jws({ ...header, alg, kid: 'k' }, claims, signer);
    expect(await codeOf(token, tokens)).toBe('ok');
    const [first, second, third] = token.split('.') as [string, string, string];
    const swapped = Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url');
    expect(await codeOf(`${first}.${swapped}.${third}`, tokens)).toBe('token_invalid');
    expect(await codeOf(`${first}.${second}.${Buffer.alloc(64, 1).toString('base64url')}`, tokens)).toBe(
      'token_invalid',
    );
  });
});

describe('signature and key', () => {
  it('alg none and HMAC under the public key never verify [B1]', async () => {
    const secrets = [
      JSON.stringify(key.jwk),
      String(key.jwk.x),
      '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2Vw\n-----END PUBLIC KEY-----\n',
      ' \n-----BEGIN PUBLIC KEY-----\nMCowBQYDK2Vw\n-----END PUBLIC KEY-----',
    ];
    for (const secret of secrets) {
      const hmac = { alg: 'HS256', privateKey: createSecretKey(Buffer.from(secret)) };
      expect(await codeOf(jws({ ...header, alg: 'HS256' }, claims, hmac))).toBe('token_invalid');
      // Also when the header names an algorithm that is allowed.
      const input = jws(header, claims, key).split('.').slice(0, 2).join('.');
      const mac = signatureOf('HS256', Buffer.from(input), hmac.privateKey).toString('base64url');
      expect(await codeOf(`${input}.${mac}`)).toBe('token_invalid');
    }
    expect(
      await codeOf(
        `${jws({ ...header, alg: 'none' }, claims, key)
          .split('.')
          .slice(0, 2)
          .join('.')}.`,
      ),
    ).toBe('token_malformed');
  });

  it('a token for another type of key than the issuer has is refused [B1]', async () => {
    const rsa = newIssuerKey('RS256');
    expect(await codeOf(jws({ ...header, alg: 'RS256' }, claims, rsa))).toBe('token_invalid');
  });

  it('an algorithm that is switched off for this issuer is refused although the key fits [B1]', async () => {
    const rsa = newIssuerKey('RS256');
    const tokens = verifier({}, { jwks: { keys: [rsa.jwk] }, algorithms: ['PS256'] });
    expect(await codeOf(jws({ ...header, alg: 'RS256' }, claims, rsa), tokens)).toBe('token_invalid');
    expect(await codeOf(jws({ ...header, alg: 'PS256' }, claims, { ...rsa, alg: 'PS256' }), tokens)).toBe('ok');
  });

  it('EdDSA and Ed25519 are equivalent [B1]', async () => {
    for (const alg of ['EdDSA', 'Ed25519']) expect(await codeOf(minted({}, { alg }))).toBe('ok');
    const tokens = verifier({}, { algorithms: ['Ed25519'] });
    expect(await codeOf(minted({}, { alg: 'EdDSA' }), tokens)).toBe('token_invalid');
  });

  it('a key in the token is refused and never fetched [B2]', async () => {
    const evil = await startServer({ json: { keys: [other.jwk] } });
    for (const extra of [{ jwk: other.jwk }, { jku: evil.url }, { x5u: evil.url }, { x5c: ['MIIB'] }]) {
      expect(await codeOf(jws({ ...header, ...extra }, claims, other))).toBe('token_invalid');
      expect(await codeOf(minted({}, extra))).toBe('token_invalid');
    }
    expect(evil.requests).toBe(0);
  });

  it('with several keys a token without kid, or with a foreign one, is refused [B2]', async () => {
    const named = [
      { ...key.jwk, kid: 'k1' },
      { ...other.jwk, kid: 'k2' },
    ];
    const tokens = verifier({}, { jwks: { keys: named } });
    expect(await codeOf(minted({}), tokens)).toBe('token_invalid');
    expect(await codeOf(minted({}, { kid: 'k1' }), tokens)).toBe('ok');
    for (const kid of ['k2', 'k3', '__proto__', '../k1', 'k.'])
      expect(await codeOf(minted({}, { kid }), tokens)).toBe('token_invalid');
  });

  it('a token is refused when any character was changed', async () => {
    const token = minted({});
    const tokens = verifier();
    await tokens.verify(token, now);
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.integer({ min: 0, max: 127 }), async (index, code) => {
        const changed = token.slice(0, index) + String.fromCharCode(code) + token.slice(index + 1);
        if (changed !== token) expect(await codeOf(changed, tokens)).not.toBe('ok');
      }),
    );
  });
});

describe('issuer', () => {
  it.each([
    'https://id.example/',
    'https://ID.example',
    'HTTPS://id.example',
    'https://id.example.evil',
    'https://id.exampl',
    'https://id.example:443',
    'http://id.example',
    '__proto__',
    '',
    7,
    null,
    [issuer],
    undefined,
  ])('iss %j is not trusted [B4]', async (iss) => expect(await codeOf(minted({ iss }))).toBe('token_issuer_unknown'));

  it('a known issuer with the key of another is refused [B4]', async () => {
    const tokens = createTokenVerifier({
      issuers: [
        { issuer, jwks: { keys: [key.jwk] } },
        { issuer: 'https://two.example', jwks: { keys: [other.jwk] }, subjectNamespace: 'two:' },
      ],
      audiences: [audience],
      clockSkewSeconds: 5,
    });
    expect(await codeOf(minted({}), tokens)).toBe('ok');
    expect(await codeOf(minted({ iss: 'https://two.example' }), tokens)).toBe('token_invalid');
    expect(await codeOf(jws(header, claims, other), tokens)).toBe('token_invalid');
    const foreign = await tokens.verify(jws(header, { ...claims, iss: 'https://two.example' }, other), now);
    expect(foreign).toMatchObject({
      ok: true,
      token: { namespace: 'two:', claims: { subject: 'two:user_123', issuer: 'https://two.example' } },
    });
  });

  it('an issuer without namespace cannot name the subjects or actors of another [C5]', async () => {
    const tokens = createTokenVerifier({
      issuers: [
        { issuer, jwks: { keys: [key.jwk] } },
        { issuer: 'https://two.example', jwks: { keys: [other.jwk] }, subjectNamespace: 'two:' },
      ],
      audiences: [audience],
      clockSkewSeconds: 5,
    });
    expect(await codeOf(minted({ sub: 'two:user_123' }), tokens)).toBe('token_invalid');
    expect(await codeOf(minted({ act: { sub: 'two:agent' } }), tokens)).toBe('token_invalid');
    expect(await codeOf(minted({ sub: 'two' }), tokens)).toBe('ok');
  });

  it('a name is refused when it would merge with its namespace under NFC [C5]', async () => {
    const options = { issuer, jwks: { keys: [key.jwk] }, subjectNamespace: 'acme' };
    const tokens = createTokenVerifier({ issuers: [options], audiences: [audience], clockSkewSeconds: 5 });
    expect(await codeOf(minted({ sub: '\u0301user' }), tokens)).toBe('token_invalid');
    expect(await codeOf(minted({ act: { sub: '\u0301agent' } }), tokens)).toBe('token_invalid');
    expect(await codeOf(minted({}), tokens)).toBe('ok');
  });
});

describe('claims', () => {
  it.each([
    [undefined],
    [[]],
    [''],
    ['https://api.example.evil'],
    ['https://api.exampl'],
    ['https://API.example'],
    ['https://api.example/'],
    [['https://sibling.example']],
    [7],
    [[audience, 7]],
  ])('aud %j is not for us [B5]', async (aud) => {
    const malformed =
      aud === undefined || aud === '' || typeof aud === 'number' || aud.length === 0 || aud.length === 2;
    expect(await codeOf(minted({ aud }))).toBe(malformed ? 'token_invalid' : 'token_audience_mismatch');
  });

  it('the detail names the unexpected issuer or audience, and the expected one [B5]', async () => {
    const detailOf = async (changes: object, tokens = verifier()): Promise<unknown> =>
      tokens.verify(minted(changes), now);
    expect(await detailOf({ aud: 'https://sibling.example' })).toMatchObject({
      detail: `it is for "https://sibling.example"; accepted here: "${audience}"`,
    });
    expect(await detailOf({ iss: `https://${'e'.repeat(5000)}` })).toMatchObject({
      detail: `its iss, unverified, is "https://${'e'.repeat(92)}"; trusted here: "${issuer}"`,
    });
    expect(await detailOf({ iss: 7 }, verifier({ issuers: [] }))).toMatchObject({
      detail: 'its iss, unverified, is not a text; trusted here: none',
    });
  });

  it('one of several audiences is enough [B5]', async () => {
    expect(await codeOf(minted({ aud: ['https://sibling.example', audience] }))).toBe('ok');
    const tokens = verifier({ audiences: ['https://first.example', audience] });
    expect(await codeOf(minted({}), tokens)).toBe('ok');
  });

  it.each([
    ['exp in the past', { exp: now - 6, iat: now - 300 }, 'token_expired'],
    ['exp within the skew', { exp: now - 4, iat: now - 300 }, 'ok'],
    ['nbf in the future', { nbf: now + 6 }, 'token_expired'],
    ['nbf within the skew', { nbf: now + 5 }, 'ok'],
    ['iat in the future', { iat: now + 6 }, 'token_expired'],
    ['a lifetime over the maximum', { exp: now + 3601 }, 'token_invalid'],
    ['the maximal lifetime', { exp: now + 3600 }, 'ok'],
    ['no exp', { exp: undefined }, 'token_invalid'],
    ['exp 0', { exp: 0 }, 'token_invalid'],
    ['exp as text', { exp: `${now + 300}` }, 'token_invalid'],
    ['exp 1e308', { exp: 1e308 }, 'token_invalid'],
    ['exp with a fraction', { exp: now + 300.5 }, 'token_invalid'],
    ['exp null', { exp: null }, 'token_invalid'],
    ['exp in milliseconds', { exp: now * 1000 }, 'token_invalid'],
  ])('%s [B6]', async (_, changes, code) => expect(await codeOf(minted(changes))).toBe(code));

  it('the maximum lifetime is configurable per issuer [B6]', async () => {
    expect(await codeOf(minted({ exp: now + 601 }), verifier({}, { maxLifetimeSeconds: 600 }))).toBe('token_invalid');
  });

  it.each([
    ['an empty sub', { sub: '' }],
    ['a sub that is a list', { sub: ['user_123'] }],
    ['a sub with a control character', { sub: 'user\u0000' }],
    ['a very long sub', { sub: 'x'.repeat(257) }],
    ['a scope that is a list', { scope: ['repo:read'] }],
    ['a scope with a no-break space', { scope: 'repo:read\u00a0admin' }],
    ['a binding to a TLS certificate [B8]', { cnf: { 'x5t#S256': 'x'.repeat(43) } }],
    ['a binding that nobody knows [B8]', { cnf: { unknown: 1 } }],
  ])('%s is refused [B7]', async (_, changes) => expect(await codeOf(minted(changes))).toBe('token_invalid'));

  it.each([
    ['agent-a'],
    [['agent-a']],
    [null],
    [7],
    [{}],
    [{ sub: '' }],
    [{ sub: 'agent-a', act: 'agent-b' }],
    [{ sub: 'agent-a', act: { sub: 'agent-a' } }],
    [{ sub: 'agent-a', act: { sub: 'user_123' } }],
    [{ sub: 'user_123' }],
  ])('act %j is no valid delegation [C1]', async (act) =>
    expect(await codeOf(minted({ act }))).toBe('token_delegation_invalid'),
  );

  it('may_act does not name an actor [C9]', async () => {
    const result = await verifier().verify(minted({ act: undefined, may_act: { sub: 'agent-a' } }), now);
    expect(result).toMatchObject({ ok: true });
    expect(result.ok && 'actor' in result.token.claims).toBe(false);
  });
});

describe('cached tokens', () => {
  it('expire, and become valid at their nbf [B6]', async () => {
    const tokens = verifier();
    const token = minted({ nbf: now + 100 });
    expect(await codeOf(token, tokens, now)).toBe('token_expired');
    expect(await codeOf(token, tokens, now + 100)).toBe('ok');
    expect(await codeOf(token, tokens, now + 304)).toBe('ok');
    expect(await codeOf(token, tokens, now + 305)).toBe('token_expired');
  });

  it('give the same frozen object, and one that was not asked for again is evicted', async () => {
    const tokens = verifier({ cacheSize: 2 });
    const [a, b, c] = ['a', 'b', 'c'].map((jti) => minted({ jti })) as [string, string, string];
    const verified = async (token: string): Promise<unknown> => {
      const result = await tokens.verify(token, now);
      return result.ok ? result.token : result;
    };
    const first = await verified(a);
    const second = await verified(b);
    expect(await verified(a)).toBe(first);
    await verified(c);
    expect(await verified(a)).toBe(first);
    expect(await verified(b)).not.toBe(second);
    const none = verifier({ cacheSize: 0 });
    const results = [await none.verify(a, now), await none.verify(a, now)].map((result) => result.ok && result.token);
    expect(results[0]).not.toBe(results[1]);
    expect(results[0]).toEqual(results[1]);
  });

  it('are dropped when the issuer withdraws their key [C7]', async () => {
    const server = await startServer({ json: { keys: [{ ...key.jwk, kid: 'k1' }] } });
    const tokens = verifier({}, { jwks: undefined as never, ...remoteKeys(server.url) });
    const token = minted({ exp: now + 3000 }, { kid: 'k1' });
    expect(await codeOf(token, tokens)).toBe('ok');
    server.answer = { json: { keys: [{ ...other.jwk, kid: 'k2' }] } };
    expect(await codeOf(token, tokens, now + 100)).toBe('ok');
    expect(await codeOf(token, tokens, now + 301)).toBe('token_invalid');
    expect(await codeOf(jws({ ...header, kid: 'k2' }, { ...claims, exp: now + 3000 }, other), tokens, now + 301)).toBe(
      'ok',
    );
  });

  it('do not include an outage of the issuer, which gets 503', async () => {
    const server = await startServer((_, response) => response.writeHead(500).end());
    const tokens = verifier({}, { jwks: undefined as never, ...remoteKeys(server.url) });
    const token = minted({});
    expect(await codeOf(token, tokens)).toBe('issuer_unavailable');
    server.answer = { json: { keys: [key.jwk] } };
    expect(await codeOf(token, tokens, now + 5)).toBe('ok');
    server.answer = (_, response) => response.writeHead(500).end();
    const long = minted({ exp: now + 3600 });
    expect(await codeOf(long, tokens, now + 400)).toBe('ok');
    expect(await codeOf(long, tokens, now + 3500)).toBe('ok');
    expect(await codeOf(minted({ iat: now + 3000, exp: now + 6000 }), tokens, now + 3700)).toBe('issuer_unavailable');
    expect(await codeOf(long, tokens, now + 3700)).toBe('issuer_unavailable');
  });

  it('a flood of unknown kids causes one fetch per cool-down [A14]', async () => {
    const server = await startServer({ json: { keys: [{ ...key.jwk, kid: 'k1' }] } });
    const tokens = verifier({}, { jwks: undefined as never, ...remoteKeys(server.url) });
    expect(await codeOf(minted({}, { kid: 'k1' }), tokens)).toBe('ok');
    for (let second = 0; second < 60; second++) {
      expect(await codeOf(minted({}, { kid: `unknown-${second}` }), tokens, now + second)).toBe('token_invalid');
    }
    expect(server.requests).toBe(2);
  });

  it('an algorithm that the issuer may not use causes no fetch [B1]', async () => {
    const server = await startServer({ json: { keys: [{ ...key.jwk, kid: 'k1' }] } });
    const tokens = verifier({}, { jwks: undefined as never, ...remoteKeys(server.url), algorithms: ['Ed25519'] });
    expect(await codeOf(minted({}, { kid: 'k1' }), tokens)).toBe('ok');
    expect(await codeOf(minted({}, { kid: 'k1', alg: 'EdDSA' }), tokens, now + 60)).toBe('token_invalid');
    expect(server.requests).toBe(1);
  });

  it('a key just published is found after the cool-down', async () => {
    const server = await startServer({ json: { keys: [{ ...key.jwk, kid: 'k1' }] } });
    const tokens = verifier({}, { jwks: undefined as never, ...remoteKeys(server.url) });
    await codeOf(minted({}, { kid: 'k1' }), tokens);
    server.answer = {
      json: {
        keys: [
          { ...key.jwk, kid: 'k1' },
          { ...other.jwk, kid: 'k2' },
        ],
      },
    };
    expect(await codeOf(jws({ ...header, kid: 'k2' }, claims, other), tokens, now + 30)).toBe('ok');
  });

  it('a token of an unknown issuer causes no fetch [B4]', async () => {
    const server = await startServer({ json: { keys: [key.jwk] } });
    const tokens = verifier({}, { jwks: undefined as never, ...remoteKeys(server.url) });
    expect(await codeOf(minted({ iss: server.url }), tokens)).toBe('token_issuer_unknown');
    expect(server.requests).toBe(0);
  });
});

function remoteKeys(url: string): Partial<IssuerOptions> {
  return { jwksUri: url, ...local };
}

describe('createTokenVerifier', () => {
  it.each([
    ['no audience', { audiences: [] }, /audiences/],
    ['an empty audience', { audiences: [''] }, /audiences/],
    ['no skew', { clockSkewSeconds: Number.NaN }, /clockSkewSeconds/],
    ['a huge skew', { clockSkewSeconds: 3600 }, /clockSkewSeconds/],
    ['a negative cache', { cacheSize: -1 }, /cacheSize/],
    ['a misspelt option', { audience: audience }, /Did you mean 'audiences'/],
  ])('refuses %s [G5]', (_, options, message) => {
    expect(() => verifier(options as object)).toThrow(ConfigError);
    expect(() => verifier(options as object)).toThrow(message);
  });

  it('trusts no token without issuers', async () => {
    expect(await codeOf(minted({}), verifier({ issuers: [] }))).toBe('token_issuer_unknown');
  });

  it('never rejects, and never quotes a token', async () => {
    const tokens = verifier();
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        expect((await tokens.verify(text, now)).ok).toBe(false);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (extra) => {
        const token = jws(header, JSON.stringify({ ...claims, ...extra }), key);
        const result = await tokens.verify(token, now);
        expect(JSON.stringify(result)).not.toContain(token.split('.')[2]);
      }),
    );
  });
});
