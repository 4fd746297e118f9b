import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import nacl from 'tweetnacl';
import { describe, expect, it } from 'vitest';
import { agentKeyFrom, generateAgentKey, loadAgentKey } from '../../src/keys/agent-private-key.js';
import { selectEd25519 } from '../../src/keys/ed25519.js';
import type { Ed25519 } from '../../src/keys/ed25519-signer.js';
import { KeyError } from '../../src/keys/key-error.js';
import { nativeEd25519 } from '../../src/keys/native-ed25519.js';
import { tweetnaclEd25519 } from '../../src/keys/tweetnacl-ed25519.js';

// RFC 8037 Appendix A.1 and A.3: a key and its thumbprint.
const rfc8037 = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
} as const;
const rfc8037Thumbprint = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';

const message = Buffer.from('approve-request:174325');

describe('loadAgentKey', () => {
  it('reads a JWK and computes the thumbprint of RFC 8037 A.3', () => {
    const key = loadAgentKey(rfc8037);
    expect(key.thumbprint).toBe(rfc8037Thumbprint);
    expect(key.keyId).toBe(rfc8037Thumbprint);
    expect(key.algorithm).toBe('ed25519');
    expect(key.publicJwk).toEqual({ kty: 'OKP', crv: 'Ed25519', x: rfc8037.x });
  });

  it('takes a key made by nacl.sign.keyPair() as the article prints it', () => {
    const keypair = nacl.sign.keyPair();
    const key = loadAgentKey(keypair.secretKey);
    const publicKey = Buffer.from(keypair.publicKey).toString('base64');
    expect(key.registration('agent-code-reviewer-01', ['repo:read', 'pr:write:draft'])).toEqual({
      agent_id: 'agent-code-reviewer-01',
      public_key: publicKey,
      capabilities: ['repo:read', 'pr:write:draft'],
    });
    expect(key.sign(message)).toEqual(nacl.sign.detached(message, keypair.secretKey));
    expect(nacl.sign.detached.verify(message, key.sign(message), keypair.publicKey)).toBe(true);
  });

  it('gives the same key for every spelling of it', () => {
    const key = generateAgentKey();
    const secretKey = key.exportSecretKey();
    const spellings = [
      key.exportJwk(),
      JSON.stringify(key.exportJwk(), null, 2),
      key.exportPem(),
      `Bag Attributes\n${key.exportPem().replaceAll('\n', '\r\n')}\n`,
      secretKey,
      secretKey.slice(0, 32),
      Buffer.from(secretKey).toString('base64'),
      `${Buffer.from(secretKey.slice(0, 32)).toString('base64')}\n`,
    ];
    for (const spelling of spellings) {
      expect(loadAgentKey(spelling).thumbprint).toBe(key.thumbprint);
      expect(loadAgentKey(spelling).sign(message)).toEqual(key.sign(message));
    }
  });

  it('reads what node:crypto exports and writes what it would export', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const key = loadAgentKey(pem);
    expect(key.exportPem()).toBe(pem);
    expect(key.exportJwk()).toEqual({ ...privateKey.export({ format: 'jwk' }), kid: key.thumbprint });
  });

  it('reads the RFC 8410 example that also states the public key', () => {
    const pem = `-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----`;
    // It carries an attribute besides: refused with a clear error rather than half read.
    expect(() => loadAgentKey(pem)).toThrow(KeyError);
    const { seed, publicKey } = {
      seed: Buffer.from('d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842', 'hex'),
      publicKey: Buffer.from('19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1', 'hex'),
    };
    const der = Buffer.concat([
      Buffer.from('3051020101300506032b657004220420', 'hex'),
      seed,
      Buffer.from('812100', 'hex'),
      publicKey,
    ]);
    const versionTwo = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----`;
    expect(loadAgentKey(versionTwo).publicKey).toBe(publicKey.toString('base64'));
  });

  const other = generateAgentKey();
  const { d: _, ...publicOnly } = rfc8037;
  const mismatched = new Uint8Array([
    ...generateAgentKey().exportSecretKey().slice(0, 32),
    ...other.exportSecretKey().slice(32),
  ]);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const native = generateKeyPairSync('ed25519').privateKey;
  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /not a private key/],
    ['null', null, /not a private key/],
    ['a number', 5, /not a private key/],
    ['an empty string', '', /not a private key/],
    ['the name of a file', 'keys/agent.pem', /looks like a file name: pass what is in the file/],
    ['plain words', 'correct horse battery staple', /not a private key/],
    ['base64 without its padding', Buffer.alloc(32, 1).toString('base64').replace('=', ''), /not a private key/],
    ['31 bytes', new Uint8Array(31), /64 bytes.*or 32/],
    ['96 bytes in base64', Buffer.alloc(96).toString('base64'), /64 bytes.*or 32/],
    ['a secretKey whose halves do not belong together', mismatched, /does not belong/],
    ['a JWK whose x belongs to another d', { ...rfc8037, x: other.publicJwk.x }, /does not belong/],
    ['a public JWK', publicOnly, /public key/],
    ['a JWK of another curve', { ...rfc8037, crv: 'X25519' }, /not an Ed25519 key/],
    ['an EC JWK', p256.export({ format: 'jwk' }), /not an Ed25519 key/],
    ['a JWK for another algorithm', { ...rfc8037, alg: 'ES256' }, /another algorithm/],
    ['a JWK for encryption', { ...rfc8037, use: 'enc' }, /not for signing/],
    ['a JWK with a padded d', { ...rfc8037, d: `${rfc8037.d}=` }, /"d" is not 32 bytes/],
    ['a JWK without x', { ...rfc8037, x: undefined }, /"x" is not 32 bytes/],
    ['broken JSON', '{"kty":"OKP"', /not JSON/],
    ['an RSA PEM', rsa.export({ format: 'pem', type: 'pkcs8' }), /not an Ed25519 one/],
    ['an EC PEM', p256.export({ format: 'pem', type: 'sec1' }), /EC PRIVATE KEY/],
    [
      'an encrypted PEM',
      native.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }),
      /encrypted/,
    ],
    ['a public PEM', '-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----', /PUBLIC KEY/],
    ['a cut PEM', native.export({ format: 'pem', type: 'pkcs8' }).slice(0, 60), /incomplete/],
  ])('refuses %s with a KeyError that does not repeat it', (_name, input, text) => {
    const load = (): unknown => loadAgentKey(input as string);
    expect(load).toThrow(KeyError);
    expect(load).toThrow(TypeError);
    expect(load).toThrow(text);
  });

  it('throws nothing but KeyError on any input', () => {
    const anything = fc.oneof(fc.anything(), fc.string(), fc.uint8Array({ minLength: 60, maxLength: 68 }));
    fc.assert(
      fc.property(anything, (input) => {
        try {
          loadAgentKey(input as string);
        } catch (error) {
          expect(error).toBeInstanceOf(KeyError);
        }
      }),
    );
  });
});

describe('the private part', () => {
  it('does not show when logged, inspected, serialised or copied', () => {
    const key = generateAgentKey();
    const { d } = key.exportJwk();
    const seed = key.exportSecretKey().slice(0, 32);
    const secrets = [d, Buffer.from(seed).toString('base64'), Buffer.from(seed).toString('hex'), [...seed].join(', ')];
    const shown = [
      inspect(key, { depth: 9, showHidden: true }),
      inspect({ nested: { key } }, { depth: 9, showHidden: true }),
      JSON.stringify(key),
      JSON.stringify({ ...key }),
      // eslint-disable-next-line typescript/no-base-to-string -- what it shows is the point
      String(key),
      JSON.stringify(structuredClone({ ...key, sign: undefined })),
    ].join('\n');
    expect(shown).toContain(key.thumbprint);
    for (const secret of secrets) expect(shown).not.toContain(secret);
  });

  it('cannot be changed from outside', () => {
    const key = generateAgentKey();
    const before = key.sign(message);
    key.exportSecretKey().fill(0);
    expect(key.sign(message)).toEqual(before);
    expect(() => Object.assign(key, { thumbprint: 'x' })).toThrow(TypeError);
  });

  it('is not shared with the bytes it was loaded from', () => {
    const bytes = generateAgentKey().exportSecretKey();
    const key = loadAgentKey(bytes);
    bytes.fill(0);
    expect(loadAgentKey(key.exportPem()).thumbprint).toBe(key.thumbprint);
  });
});

describe('registration', () => {
  it('refuses what the API would refuse', () => {
    const key = generateAgentKey();
    expect(() => key.registration('', ['repo:read'])).toThrow(TypeError);
    expect(() => key.registration('agent-a', ['repo read', 'pr::'])).toThrow(TypeError);
    expect(key.registration('agent-a', []).capabilities).toEqual([]);
  });
});

describe('the two implementations of Ed25519', () => {
  it('give identical keys and signatures', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes, (seed, data) => {
        const [native, portable] = [nativeEd25519.signer(seed), tweetnaclEd25519.signer(seed)];
        expect(portable.publicKey).toEqual(native.publicKey);
        expect(portable.sign(data)).toEqual(native.sign(data));
      }),
      { numRuns: 25 },
    );
  });

  it('load a key alike', () => {
    expect(agentKeyFrom(rfc8037, tweetnaclEd25519).thumbprint).toBe(rfc8037Thumbprint);
    expect(agentKeyFrom(rfc8037, tweetnaclEd25519).sign(message)).toEqual(loadAgentKey(rfc8037).sign(message));
  });

  it('are chosen by signing once: node:crypto where it works, TweetNaCl where it does not', () => {
    const absent: Ed25519 = {
      name: 'native',
      signer: () => {
        throw new Error('error:03000072:digital envelope routines::decode error');
      },
    };
    const wrong: Ed25519 = {
      name: 'native',
      signer: () => ({ publicKey: new Uint8Array(32), sign: () => new Uint8Array(64) }),
    };
    expect(selectEd25519().name).toBe('native');
    expect(selectEd25519(absent).name).toBe('tweetnacl');
    expect(selectEd25519(wrong).name).toBe('tweetnacl');
  });
});
