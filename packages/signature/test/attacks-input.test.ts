import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nativeSigningKey, verificationKey } from '../src/index.js';
import { PARAMETERS, request, rewrite, signed, signer, TAG, verifier } from './support/messages.js';
import { codeOf, bare, publicAsSecret, nothingRequired } from './support/verdicts.js';

describe('A8 algorithms and keys', () => {
  const secretOfPublicKey = createSecretKey(verifier.publicKey.export({ format: 'der', type: 'spki' }));

  it('A8 an HMAC with the public key as secret is refused by the policy', async () => {
    const hmac = nativeSigningKey(secretOfPublicKey, { keyId: 'key-1', algorithm: 'hmac-sha256' });
    for (const alg of [undefined, 'hmac-sha256']) {
      const message = await signed(request(), { key: hmac, parameters: { ...PARAMETERS, ...(alg && { alg }) } });
      expect(await codeOf(message)).toBe(alg === undefined ? 'invalid' : 'algorithm_not_allowed');
      // Even where HMAC is allowed, the resolver's key decides: an Ed25519 key never becomes a secret.
      const code = await codeOf(message, { algorithms: ['ed25519', 'hmac-sha256'] });
      expect(code).toBe(alg === undefined ? 'invalid' : 'algorithm_not_allowed');
    }
  });

  it('A8 hmac-sha256 needs both: the name in the policy and a secret key', async () => {
    const secret = createSecretKey(Buffer.alloc(32, 7));
    const key = nativeSigningKey(secret, { keyId: 'key-1', algorithm: 'hmac-sha256' });
    const message = await signed(request(), { key });
    const resolveKey = () => verificationKey(secret, { algorithm: 'hmac-sha256' });
    expect(await codeOf(message, { resolveKey })).toBe('algorithm_not_allowed');
    expect(await codeOf(message, { resolveKey, algorithms: ['hmac-sha256'] })).toBe('ok');
    expect(await codeOf(message, { resolveKey: publicAsSecret, algorithms: ['hmac-sha256'] })).toBe(
      'algorithm_not_allowed',
    );
  });

  it.each(['none', 'hmac-sha256', 'rsa-pss-sha512', 'ED25519', 'Ed25519', ''])(
    'A8 alg=%j for an Ed25519 key is refused',
    async (alg) => {
      const message = await signed(request(), { parameters: { ...PARAMETERS, alg } });
      expect(await codeOf(message)).toBe('algorithm_not_allowed');
      expect(await codeOf(message, { algorithms: ['ed25519', 'hmac-sha256', 'rsa-pss-sha512'] })).toBe(
        'algorithm_not_allowed',
      );
    },
  );

  it('A8 alg that agrees with the key is accepted', async () => {
    expect(await codeOf(await signed(request(), { parameters: { ...PARAMETERS, alg: 'ed25519' } }))).toBe('ok');
  });

  it('A8 a key of another type than its algorithm is refused', async () => {
    const message = await signed(request());
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const x25519 = generateKeyPairSync('x25519').publicKey;
    for (const publicKey of [p256, p384, rsa, x25519, secretOfPublicKey]) {
      const resolveKey = () => ({ algorithm: 'ed25519', publicKey }) as const;
      expect(await codeOf(message, { resolveKey })).toBe('algorithm_not_allowed');
    }
    const wrongCurve = () => ({ algorithm: 'ecdsa-p256-sha256', publicKey: p384 }) as const;
    expect(await codeOf(message, { resolveKey: wrongCurve, algorithms: ['ecdsa-p256-sha256'] })).toBe(
      'algorithm_not_allowed',
    );
  });

  it('A8 a private key handed to the verifier is refused', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const resolveKey = () => ({ algorithm: 'ed25519', publicKey: privateKey }) as const;
    expect(await codeOf(await signed(request()), { resolveKey })).toBe('algorithm_not_allowed');
  });

  it('A8 no algorithm is allowed by an empty list', async () => {
    expect(await codeOf(await signed(request()), { algorithms: [] })).toBe('algorithm_not_allowed');
  });
});

describe('A13 authority and target', () => {
  it('A13 upper case and the default port are the same authority', async () => {
    const message = await signed(request());
    expect(await codeOf({ ...message, authority: 'API.example.COM:443' })).toBe('ok');
    expect(await codeOf({ ...message, authority: 'api.example.com:80' })).toBe('invalid');
    expect(await codeOf({ ...message, scheme: 'http', authority: 'api.example.com:443' })).toBe('invalid');
  });

  it.each(['', ' ', 'a b', 'user@api.example.com', 'api.example.com, evil.example', 'a/b', 'é.example', 'a:x', '[::1'])(
    'A13 the authority %j is refused',
    async (authority) => {
      expect(await codeOf({ ...(await signed(request())), authority })).toBe('component_missing');
    },
  );

  it.each(['/a%2Fb', '/a/../b', '/%2e%2e/b', '//b', '/a;x=y', '/a//b', '/A'])(
    'A13 %j is signed as it is',
    async (target) => {
      const message = await signed(request({ target }));
      expect(await codeOf(message)).toBe('ok');
      for (const other of ['/a/b', '/b', '/a', '/../b', '/a%2fb']) {
        expect(await codeOf({ ...message, target: other })).toBe('invalid');
      }
    },
  );

  it('A13 an absolute-form target overrides Host', async () => {
    const message = await signed(request());
    const absolute = { ...message, target: 'https://evil.example/repos/acme/api/pulls?draft=true' };
    expect(await codeOf(absolute)).toBe('invalid');
    const same = {
      ...message,
      authority: 'evil.example',
      target: 'https://API.example.com:443/repos/acme/api/pulls?draft=true',
    };
    expect(await codeOf(same)).toBe('ok');
  });

  it.each(['', 'a', '/a b', '/a#b', '/a\n', '/é', 'ftp://api.example.com/', 'api.example.com:443'])(
    'A13 the target %j is refused',
    async (target) => {
      expect(await codeOf({ ...(await signed(request())), target })).toBe('component_malformed');
    },
  );
});

describe('A15 weak Ed25519 inputs', () => {
  it('A15 a small-order public key is refused at verification too', async () => {
    const weak = createPublicKey({
      format: 'jwk',
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from([1, ...new Uint8Array(31)]).toString('base64url') },
    });
    // For the identity, R = identity and S = 0 verify for every message, as far as OpenSSL is concerned.
    const forged = Buffer.from([1, ...new Uint8Array(63)]).toString('base64');
    const message = rewrite(await signed(request()), 'signature', () => `sig=:${forged}:`);
    const resolveKey = () => ({ algorithm: 'ed25519', publicKey: weak }) as const;
    expect(await codeOf(message, { resolveKey })).toBe('algorithm_not_allowed');
  });

  it.each([0, 1, 32, 63, 65, 128])('A15 a signature of %i bytes is invalid', async (length) => {
    const value = `sig=:${Buffer.alloc(length, 1).toString('base64')}:`;
    expect(await codeOf(rewrite(await signed(request()), 'signature', () => value))).toBe('invalid');
  });

  it('A15 a signature with S + L is invalid', async () => {
    const L = 2n ** 252n + 27742317777372353535851937790883648493n;
    const message = rewrite(await signed(request()), 'signature', (value) => {
      const bytes = Buffer.from(value.slice(5, -1), 'base64');
      const s = BigInt(`0x${Buffer.from(bytes.subarray(32).toReversed()).toString('hex')}`) + L;
      const shifted = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed();
      return `sig=:${Buffer.concat([bytes.subarray(0, 32), shifted]).toString('base64')}:`;
    });
    expect(await codeOf(message)).toBe('invalid');
  });

  it('A15 ECDSA with r or s of zero, or of DER form, is invalid', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const message = await signed(request(), { key: nativeSigningKey(privateKey, { keyId: 'key-1' }) });
    const changes = { algorithms: ['ecdsa-p256-sha256'], resolveKey: () => verificationKey(publicKey) } as const;
    expect(await codeOf(message, changes)).toBe('ok');
    const half = Buffer.alloc(32);
    for (const bytes of [
      Buffer.concat([half, half]),
      Buffer.concat([half, Buffer.alloc(32, 1)]),
      Buffer.alloc(70, 0x30),
    ]) {
      expect(
        await codeOf(
          rewrite(message, 'signature', () => `sig=:${bytes.toString('base64')}:`),
          changes,
        ),
      ).toBe('invalid');
    }
  });
});

describe('A16 parser limits', () => {
  it.each([
    ['10 000 members', Array.from({ length: 10_000 }, (_, at) => `a${at}=()`).join()],
    ['64 kB', `sig=();nonce="${'x'.repeat(65_536)}"`],
    ['17 signatures', Array.from({ length: 17 }, (_, at) => `a${at}=()`).join()],
    ['65 components', `sig=(${Array.from({ length: 65 }, (_, at) => `"h${at}"`).join(' ')})`],
    ['NUL', `sig=();tag="${TAG}\0"`],
    ['non-ASCII', 'sig=();tag="é"'],
    ['an unquoted tag', `sig=();tag=${TAG}`],
    ['a duplicate parameter', `sig=();tag="x";tag="${TAG}"`],
    ['a duplicate component parameter', '("content-digest";key="a";key="b")'],
    ['a trailing comma', 'sig=(),'],
    ['an empty value', ''],
    ['an upper-case label', 'Sig=()'],
    ['an unclosed list', 'sig=("@method"'],
    ['tabs in the list', 'sig=("@method"\t"@path")'],
  ])('A16 %s is refused', async (_, input) => {
    expect(['malformed', 'ambiguous']).toContain(await codeOf(bare(input), nothingRequired));
  });

  it.each([
    'sig=:AAA:',
    'sig=:AAB=:',
    'sig=:-_-_:',
    'sig=AAAA',
    'sig="AAAA"',
    'sig=(:AAAA:)',
    'sig',
    ': :',
    'sig=:AAAA',
  ])('A16 the Signature %j is refused', async (signature) => {
    expect(await codeOf(bare(`sig=();tag="${TAG}"`, signature), nothingRequired)).toBe('malformed');
  });

  it('A16 together the two fields are bounded', async () => {
    const nonce = 'x'.repeat(9_000);
    const message = bare(`sig=();tag="${TAG}";nonce="${nonce}"`, `sig=:${'A'.repeat(8_000)}:`);
    expect(await codeOf(message, nothingRequired)).toBe('malformed');
  });

  it('the base takes the strict serialisation of the parameters, whatever white space they came with (§3.2)', async () => {
    const spaced = rewrite(await signed(request()), 'signature-input', (value) =>
      value.replace('("@method" ', '(  "@method"   ').replaceAll(';', ';  '),
    );
    expect(await codeOf(spaced)).toBe('ok');
  });
});

describe('every algorithm', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = createSecretKey(Buffer.alloc(32, 9));
  it.each([
    ['ecdsa-p256-sha256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['ecdsa-p384-sha384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['rsa-pss-sha512', rsa],
    ['rsa-pss-sha512', generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['rsa-v1_5-sha256', rsa],
    ['hmac-sha256', { privateKey: secret, publicKey: secret }],
  ] as const)(
    '%s signs and verifies, in either schedule, and notices a change',
    async (algorithm, { privateKey, publicKey }) => {
      const key = nativeSigningKey(privateKey, { keyId: 'key-1', algorithm });
      const message = await signed(request(), { key });
      const resolveKey = () => verificationKey(publicKey, { algorithm });
      for (const cryptoScheduling of ['auto', 'sync'] as const) {
        const changes = { algorithms: [algorithm], resolveKey, cryptoScheduling };
        expect(await codeOf(message, changes)).toBe('ok');
        expect(await codeOf({ ...message, method: 'PUT' }, changes)).toBe('invalid');
      }
      expect(signer.algorithm).toBe('ed25519');
    },
  );
});
