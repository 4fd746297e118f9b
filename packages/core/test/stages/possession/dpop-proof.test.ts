import { existsSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDpopNonces, readDpopOptions } from '../../../src/stages/possession/dpop-options.js';
import { readWebBotAuthOptions } from '../../../src/stages/possession/by-web-bot-auth.js';
import { isUriOfRequest, readDpopProof } from '../../../src/stages/possession/dpop-proof.js';

const file = new URL('../../../../../../shared/vectors/rfc9449-dpop/rfc9449-examples.json', import.meta.url);
const origin = { scheme: 'https', authority: 'api.acme.dev', href: 'https://api.acme.dev' } as const;

interface Example {
  readonly jwt: string;
  readonly jkt: string;
  readonly claims: { readonly jti: string; readonly htu: string; readonly iat: number; readonly ath?: string };
}

describe.skipIf(!existsSync(file))('the printed examples of RFC 9449', () => {
  const examples = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { proofs: Example[] }).proofs : [];

  it('verify as printed if bound to a token, and are refused without ath [B9]', async () => {
    for (const { jwt, jkt, claims } of examples) {
      const read = await readDpopProof(jwt);
      if (claims.ath === undefined) expect(read.ok, jwt).toBe(false);
      else {
        expect(read).toMatchObject({
          ok: true,
          value: { thumbprint: jkt, id: claims.jti, uri: claims.htu, issuedAt: claims.iat, tokenHash: claims.ath },
        });
      }
    }
    expect(examples.some(({ claims }) => claims.ath !== undefined)).toBe(true);
  });

  it('are refused with one character changed [B9]', async () => {
    const { jwt = '' } = examples.find(({ claims }) => claims.ath !== undefined) ?? {};
    await fc.assert(
      fc.asyncProperty(fc.nat(jwt.length - 1), fc.constantFrom('A', 'b', '-', '.', '='), async (at, character) => {
        fc.pre(jwt[at] !== character);
        expect(await readDpopProof(jwt.slice(0, at) + character + jwt.slice(at + 1))).toMatchObject({ ok: false });
      }),
      { numRuns: 40 },
    );
  });
});

describe('readDpopProof', () => {
  it('refuses any text, and its promise never rejects [B9, A16]', async () => {
    const part = fc.oneof(
      fc.base64String(),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.tuple(part, part, part).map((parts) => parts.join('.')),
        ),
        async (text) => {
          expect(await readDpopProof(text)).toMatchObject({ ok: false });
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('isUriOfRequest', () => {
  it.each([
    ['https://api.acme.dev/a', '/a'],
    ['https://api.acme.dev/a', '/a?b=c'],
    ['https://api.acme.dev/a?x#y', '/a'],
    ['HTTPS://API.acme.dev:443/a', '/a'],
    ['https://api.acme.dev', '/'],
    ['https://api.acme.dev/%7euser%2f', '/~user%2F'],
    ['https://api.acme.dev/a', 'https://api.acme.dev/a'],
  ])('matches %s with the target %s [B9]', (htu, target) => {
    expect(isUriOfRequest(htu, origin, target)).toBe(true);
  });

  it.each([
    ['http://api.acme.dev/a', '/a'],
    ['https://api.acme.dev:444/a', '/a'],
    ['https://api.acme.dev.evil.example/a', '/a'],
    ['https://api.acme.dev@evil.example/a', '/a'],
    ['https://evil.example/https://api.acme.dev/a', '/a'],
    ['https://api.acme.dev/a/', '/a'],
    ['https://api.acme.dev/A', '/a'],
    ['https://api.acme.dev/x/../a', '/a'],
    ['https://api.acme.dev/x%2fa', '/x/a'],
    ['/a', '/a'],
    ['', '/'],
  ])('does not match %s with the target %s [B9]', (htu, target) => {
    expect(isUriOfRequest(htu, origin, target)).toBe(false);
  });
});

describe('DPoP nonces', () => {
  const secret = new Uint8Array(32).fill(7);
  const nonces = createDpopNonces(secret);

  it('are accepted for the rest of their period and all of the next one [B9]', () => {
    const nonce = nonces.current(1200);
    for (const now of [1200, 1319, 1320, 1439]) expect(nonces.accepts(nonce, now), String(now)).toBe(true);
    for (const now of [1199, 1440, 0, 9e9]) expect(nonces.accepts(nonce, now), String(now)).toBe(false);
  });

  it('are accepted by every guard with the same secret, and by no other [B9]', () => {
    expect(createDpopNonces(Uint8Array.from(secret)).accepts(nonces.current(0), 0)).toBe(true);
    expect(createDpopNonces(new Uint8Array(32)).accepts(nonces.current(0), 0)).toBe(false);
  });
});

describe('readDpopOptions and readWebBotAuthOptions', () => {
  it('default to off, and fill in the defaults for true', () => {
    expect(readDpopOptions(undefined)).toBeUndefined();
    expect(readDpopOptions(true)).toEqual({ maxAgeSeconds: 60, nonceSecret: undefined });
    expect(readWebBotAuthOptions(undefined)).toBeUndefined();
    expect(readWebBotAuthOptions(true)).toEqual({ maxAgeSeconds: 300, unsafeMethods: false });
  });

  it.each([
    ['false', false],
    ['a misspelt name', { maxAge: 5 }],
    ['an age as text', { maxAgeSeconds: '60' }],
    ['an age of 0', { maxAgeSeconds: 0 }],
    ['an unknown nonce mode', { nonce: 'optional' }],
    ['a short secret', { nonce: 'required', nonceSecret: new Uint8Array(31) }],
    ['a secret without nonces', { nonceSecret: new Uint8Array(32) }],
  ])('refuse dpop with %s [G5]', (_title, options) => {
    expect(() => readDpopOptions(options as never)).toThrow(/^createGuard: 'dpop/);
  });

  it.each([
    ['false', false],
    ['a misspelt name', { unsafe: 'policy' }],
    ['an age of more than a day', { maxAgeSeconds: 86_401 }],
    ['unsafe methods without policy', { unsafeMethods: true }],
  ])('refuse webBotAuth with %s [G5]', (_title, options) => {
    expect(() => readWebBotAuthOptions(options as never)).toThrow(/^createGuard: 'webBotAuth/);
  });
});
