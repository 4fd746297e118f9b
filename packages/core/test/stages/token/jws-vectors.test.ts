import { existsSync, readFileSync } from 'node:fs';
import { compactVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { isJsonObject, parseStrictJson } from '@countersign/common';
import { readIssuerKeySet, selectKey } from '../../../src/stages/token/issuer-key.js';
import { readJwsHeader, splitCompactJws } from '../../../src/stages/token/jws-gate.js';
import { signatureAlgorithms } from '../../../src/stages/token/signature-algorithms.js';

const vectors = new URL('../../../../../../shared/vectors/', import.meta.url);

function read(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, vectors), 'utf8'));
}

/** How far a token comes when its type and claims do not matter, with every algorithm switched on. */
async function verdictOf(
  token: string,
  jwkSet: unknown,
): Promise<'verified' | 'form' | 'header' | 'key' | 'signature'> {
  const parts = splitCompactJws(token);
  const rawHeader = parts === undefined ? undefined : parseStrictJson(parts.header);
  if (rawHeader === undefined || !rawHeader.ok || !isJsonObject(rawHeader.value)) return 'form';
  const header = readJwsHeader(rawHeader.value);
  if (!header.ok) return 'header';
  const keys = readIssuerKeySet(jwkSet, signatureAlgorithms);
  const key = keys.ok ? selectKey(keys.value, header.header) : undefined;
  if (key === undefined) return 'key';
  return compactVerify(token, key.publicKey).then(
    () => 'verified',
    () => 'signature',
  );
}

interface Group {
  readonly public?: { readonly keys?: unknown };
  readonly private?: { readonly keys?: unknown };
  readonly tests: readonly {
    readonly tcId: number;
    readonly comment: string;
    readonly jws?: unknown;
    readonly result: 'valid' | 'invalid';
  }[];
}

const symmetric = 'HMAC: whoever verifies could also sign, so it is no algorithm for tokens here';
const emptyPayload = 'an empty payload holds no claims';
const otherAlg = 'the JWK says PS256 and the header PS384: a key that says what it is for is for nothing else';
const noSuchAlg = 'the JWK says ES521, which is no algorithm (RFC 7518 §3.1 has ES512)';
const badCharacter = 'a character outside base64url: one token, one spelling';

/** Where we refuse what Wycheproof calls valid, one by one. We accept nothing that it calls invalid. */
const stricter: Record<string, Record<number, readonly ['form' | 'header' | 'key', string]>> = {
  json_web_signature_test: {
    1: ['header', symmetric],
    259: ['form', emptyPayload],
    264: ['form', emptyPayload],
    268: ['form', emptyPayload],
    272: ['form', emptyPayload],
    320: ['form', emptyPayload],
    325: ['form', emptyPayload],
    346: ['key', otherAlg],
    347: ['key', noSuchAlg],
    348: ['header', symmetric],
    350: ['key', otherAlg],
    351: ['key', noSuchAlg],
    352: ['header', symmetric],
    357: ['header', symmetric],
    358: ['header', symmetric],
    359: ['header', symmetric],
    372: ['form', badCharacter],
    373: ['form', badCharacter],
    376: ['header', symmetric],
    377: ['header', symmetric],
  },
  json_web_key_test: {
    2: ['header', symmetric],
    13: ['header', symmetric],
    14: ['header', symmetric],
    15: ['header', symmetric],
  },
  json_web_crypto_test: { 1: ['header', symmetric], 48: ['header', symmetric] },
};

if (!existsSync(vectors)) {
  console.warn('JWS VECTORS DID NOT RUN: ../shared/vectors is missing beside the repository');
  // A file without a test would count as failed.
  it('was not run: no vectors here', () => expect(existsSync(vectors)).toBe(false));
} else {
  describe('Wycheproof JWS', () => {
    it.each(Object.keys(stricter))('%s', async (name) => {
      const { testGroups } = read(`wycheproof/testvectors_v1/${name}.json`) as { testGroups: readonly Group[] };
      const expected: string[] = [];
      const got: string[] = [];
      for (const group of testGroups) {
        const given = group.public ?? group.private;
        const jwkSet = given?.keys === undefined ? { keys: [given] } : given;
        for (const { tcId, comment, jws, result } of group.tests) {
          if (jws === undefined) continue;
          const verdict = await verdictOf(typeof jws === 'string' ? jws : JSON.stringify(jws), jwkSet);
          const difference = stricter[name]?.[tcId]?.[0];
          const label = `${tcId} ${comment}: `;
          if (difference !== undefined) {
            expected.push(`${label}valid, refused for its ${difference}`);
            got.push(`${label}${result}, refused for its ${verdict}`);
          } else {
            expected.push(label + result);
            got.push(label + (verdict === 'verified' ? 'valid' : 'invalid'));
          }
        }
      }
      expect(got.length).toBeGreaterThan(25);
      expect(got).toEqual(expected);
    });
  });

  describe('JOSE cookbook (RFC 7520, RFC 8037)', () => {
    it.each([
      ['jws/4_1.rsa_v15_signature', 'verified'],
      ['jws/4_2.rsa-pss_signature', 'verified'],
      ['jws/4_3.ecdsa_signature', 'verified'],
      ['curve25519/jws', 'verified'],
      ['jws/4_4.hmac-sha2_integrity_protection', 'header'],
    ])('%s: %s', async (name, verdict) => {
      const { input, output } = read(`jose-cookbook/${name}.json`) as {
        input: { key: Record<string, unknown> };
        output: { compact: string };
      };
      const { kty, crv, x, y, n, e, kid, use } = input.key;
      expect(await verdictOf(output.compact, { keys: [{ kty, crv, x, y, n, e, kid, use }] })).toBe(verdict);
      const privateSet = await verdictOf(output.compact, { keys: [input.key] });
      expect(privateSet).toBe(verdict === 'verified' ? 'key' : verdict);
    });
  });
}
