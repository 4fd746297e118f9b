import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { expect, it } from 'vitest';
import { verifySignature } from '../src/algorithms.js';
import { keyProblem } from '../src/keys.js';
import type { SignatureAlgorithm } from '../src/index.js';
import { describeVectors } from './support/vectors.js';

interface Test {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly key?: string;
  readonly msg: string;
  readonly sig?: string;
  readonly tag?: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

interface Group {
  readonly publicKeyPem: string;
  readonly keySize?: number;
  readonly tagSize?: number;
  readonly tests: readonly Test[];
}

interface Suite {
  readonly testGroups: readonly Group[];
}

const PATH = 'wycheproof/testvectors_v1/';

/** Both schedules must agree with each other and with the vectors. */
async function verdict(algorithm: SignatureAlgorithm, publicKey: KeyObject, test: Test): Promise<string> {
  const key = { algorithm, publicKey };
  const data = Buffer.from(test.msg, 'hex');
  const signature = Buffer.from(test.sig ?? test.tag ?? '', 'hex');
  const pooled = await verifySignature(key, data, signature, 'auto');
  expect(await verifySignature(key, data, signature, 'sync')).toBe(pooled);
  return pooled ? 'valid' : 'invalid';
}

function runWith(algorithm: SignatureAlgorithm, file: string): void {
  describeVectors(`Wycheproof ${file}`, PATH, (vectors) => {
    it(`agrees with every vector as ${algorithm}`, { timeout: 60_000 }, async () => {
      for (const group of (vectors.json(file) as Suite).testGroups) {
        const key = createPublicKey(group.publicKeyPem);
        expect(keyProblem(algorithm, key)).toBeUndefined();
        for (const test of group.tests) {
          expect(await verdict(algorithm, key, test), `${test.tcId} ${test.comment}`).toBe(test.result);
        }
      }
    });
  });
}

runWith('ed25519', 'ed25519_test.json');
runWith('ecdsa-p256-sha256', 'ecdsa_secp256r1_sha256_p1363_test.json');
runWith('rsa-pss-sha512', 'rsa_pss_4096_sha512_mgf1_64_test.json');

describeVectors('Wycheproof RSA-PSS with other parameters', PATH, (vectors) => {
  it('refuses every signature with a salt of 32 bytes: rsa-pss-sha512 fixes the salt at 64 (RFC 9421 §3.3.1)', async () => {
    for (const group of (vectors.json('rsa_pss_4096_sha512_mgf1_32_test.json') as Suite).testGroups) {
      const key = createPublicKey(group.publicKeyPem);
      for (const test of group.tests) expect(await verdict('rsa-pss-sha512', key, test), test.comment).toBe('invalid');
    }
  });

  it('refuses a key restricted to MGF1 with SHA-256: rsa-pss-sha512 fixes MGF1 with SHA-512', () => {
    for (const group of (vectors.json('rsa_pss_2048_sha512_mgf1sha256_32_params_test.json') as Suite).testGroups) {
      expect(keyProblem('rsa-pss-sha512', createPublicKey(group.publicKeyPem))).toContain('other parameters');
    }
  });
});

describeVectors('Wycheproof HMAC', PATH, (vectors) => {
  it('agrees for untruncated tags, and refuses truncated tags and short secrets', async () => {
    let compared = 0;
    for (const group of (vectors.json('hmac_sha256_test.json') as Suite).testGroups) {
      for (const test of group.tests) {
        const secret = createSecretKey(test.key ?? '', 'hex');
        // Our own rule: refuse a secret shorter than the hash (RFC 2104 §3) before it is used.
        expect(keyProblem('hmac-sha256', secret) === undefined).toBe((group.keySize ?? 0) >= 256);
        // RFC 9421 §3.3.3 has no truncated form, so a tag of 128 bits is invalid even if the vectors call it valid.
        const expected = group.tagSize === 256 ? test.result : 'invalid';
        expect(await verdict('hmac-sha256', secret, test), test.comment).toBe(expected);
        compared += group.tagSize === 256 ? 1 : 0;
      }
    }
    expect(compared).toBeGreaterThan(80);
  });
});
