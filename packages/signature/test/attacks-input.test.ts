import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nativeSigningKey, verificationKey } from '../src/index.js';
import { PARAMETERS, request, rewrite, signed, signer, TAG, verifier } from './support/messages.js';
import { codeOf, bare, publicAsSecret, nothingRequired } from './support/verdicts.js';

describe('algorithms and keys [A8]', () => {
  const secretOfPublicKey = createSecretKey(verifier.publicKey.export({ format: 'der', type: 'spki' }));

  it('the policy refuses an HMAC with the public key as secret [A8]', async () => {
    const hmac = nativeSigningKey(secretOfPublicKey, { keyId: 'key-1', algorithm: 'hmac-sha256' });
    for (const alg of [undefined, 'hmac-sha256']) {
      const message = await signed(request(), { key: hmac, parameters: { ...PARAMETERS, ...(alg && { alg }) } });
      expect(await codeOf(message)).toBe(alg === undefined ? 'invalid' : 'algorithm_not_allowed');
      // Even if HMAC is allowed, the resolver's key decides: an Ed25519 key never becomes a secret.
      const code = await codeOf(message, { algorithms: ['ed25519', 'hmac-sha256'] });
      expect(code).toBe(alg === undefined ? 'invalid' : 'algorithm_not_allowed');
    }
  });

  it('hmac-sha256 needs both: the name in the policy and a secret key [A8]', async () => {
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
    'alg=%j for an Ed25519 key is refused [A8]',
    async (alg) => {
      const message = await signed(request(), { parameters: { ...PARAMETERS, alg } });
      expect(await codeOf(message)).toBe('algorithm_not_allowed');
      expect(await codeOf(message, { algorithms: ['ed25519', 'hmac-sha256', 'rsa-pss-sha512'] })).toBe(
        'algorithm_not_allowed',
      );
    },
  );

  it('alg that agrees with the key is accepted [A8]', async () => {
    expect(await codeOf(await signed(request(), { parameters: { ...PARAMETERS, alg: 'ed25519' } }))).toBe('ok');
  });

  it('a key of another type than its algorithm is refused [A8]', async () => {
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

  it('a private key handed to the verifier is refused [A8]', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const resolveKey = () => ({ algorithm: 'ed25519', publicKey: privateKey }) as const;
    expect(await codeOf(await signed(request()), { resolveKey })).toBe('algorithm_not_allowed');
  });

  it('an empty list allows no algorithm [A8]', async () => {
    expect(await codeOf(await signed(request()), { algorithms: [] })).toBe('algorithm_not_allowed');
  });
});

describe('authority and target [A13]', () => {
  it('upper case and the default port are the same authority [A13]', async () => {
    const message = await signed(request());
    expect(await codeOf({ ...message, authority: 'API.example.COM:443' })).toBe('ok');
    expect(await codeOf({ ...message, authority: 'api.example.com:80' })).toBe('invalid');
    expect(await codeOf({ ...message, scheme: 'http', authority: 'api.example.com:443' })).toBe('invalid');
  });

  it.each(['', ' ', 'a b', 'user@api.example.com', 'api.example.com, evil.example', 'a/b', 'é.example', 'a:x', '[::1'])(
    'the authority %j is refused [A13]',
    async (authority) => {
      expect(await codeOf({ ...(await signed(request())), authority })).toBe('component_missing');
    },
  );

  it.each(['/a%2Fb', '/a/../b', '/%2e%2e/b', '//b', '/a;x=y', '/a//b', '/A'])(
    '%j is signed unchanged [A13]',
    async (target) => {
      const message = await signed(request({ target }));
      expect(await codeOf(message)).toBe('ok');
      for (const other of ['/a/b', '/b', '/a', '/../b', '/a%2fb']) {
        expect(await codeOf({ ...message, target: other })).toBe('invalid');
      }
    },
  );

  it('an absolute-form target overrides Host [A13]', async () => {
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
    'the target %j is refused [A13]',
    async (target) => {
      expect(await codeOf({ ...(await signed(request())), target })).toBe('component_malformed');
    },
  );
});

describe('weak Ed25519 inputs [A15]', () => {
  it('a small-order public key is refused at verification too [A15]', async () => {
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

  it.each([0, 1, 32, 63, 65, 128])('a signature of %i bytes is invalid [A15]', async (length) => {
    const value = `sig=:${Buffer.alloc(length, 1).toString('base64')}:`;
    expect(await codeOf(rewrite(await signed(request()), 'signature', () => value))).toBe('invalid');
  });

  it('a signature with S + L is invalid [A15]', async () => {
    const L = 2n ** 252n + 27742317777372353535851937790883648493n;
    const message = rewrite(await signed(request()), 'signature', (value) => {
      const bytes = Buffer.from(value.slice(5, -1), 'base64');
      const s = BigInt(`0x${Buffer.from(bytes.subarray(32).toReversed()).toString('hex')}`) + L;
      const shifted = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed();
      return `sig=:${Buffer.concat([bytes.subarray(0, 32), shifted]).toString('base64')}:`;
    });
    expect(await codeOf(message)).toBe('invalid');
  });

  it('ECDSA with r or s of zero, or of DER form, is invalid [A15]', async () => {
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

describe('parser limits [A16]', () => {
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
  ])('%s is refused [A16]', async (_, input) => {
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
  ])('the Signature %j is refused [A16]', async (signature) => {
    expect(await codeOf(bare(`sig=();tag="${TAG}"`, signature), nothingRequired)).toBe('malformed');
  });

  it('the two fields are bounded together [A16]', async () => {
    const nonce = 'x'.repeat(9_000);
    const message = bare(`sig=();tag="${TAG}";nonce="${nonce}"`, `sig=:${'A'.repeat(8_000)}:`);
    expect(await codeOf(message, nothingRequired)).toBe('malformed');
  });

  it('the base has the strict serialisation of the parameters when they were sent with other white space (§3.2)', async () => {
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
    '%s signs and verifies, in either schedule, and detects a change',
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
