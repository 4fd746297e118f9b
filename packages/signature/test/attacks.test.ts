import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  covers,
  nativeSigningKey,
  type RequestMessage,
  requireComponents,
  type SignatureParameters,
  type VerificationKey,
  verificationKey,
  type VerificationPolicy,
  verifyMessage,
} from '../src/index.js';
import {
  COMPONENTS,
  NOW,
  PARAMETERS,
  policy,
  request,
  rewrite,
  signed,
  signer,
  TAG,
  verifier,
  withFields,
  without,
} from './support/messages.js';

async function codeOf(message: RequestMessage, changes: Partial<VerificationPolicy> = {}): Promise<string> {
  const result = await verifyMessage(message, policy(changes));
  return result.ok ? 'ok' : result.code;
}

async function codeAt(parameters: SignatureParameters, now: number): Promise<string> {
  return codeOf(await signed(request(), { parameters: { ...PARAMETERS, ...parameters } }), { now });
}

function bare(input: string, signature = 'sig=:AAAA:'): RequestMessage {
  return withFields(request(), 'Signature-Input', input, 'Signature', signature);
}

function publicAsSecret(): VerificationKey {
  return { algorithm: 'hmac-sha256', publicKey: verifier.publicKey };
}

function outage(): Promise<never> {
  return Promise.reject(new Error('directory down'));
}

function neverAsked(): never {
  return expect.fail('asked');
}

const nothingRequired = { components: requireComponents({}), parameters: [] };

describe('a message as it should be', () => {
  it('verifies', async () => {
    const result = await verifyMessage(await signed(request()), policy());
    if (!result.ok) expect.fail(result.detail);
    const { signature } = result;
    expect(signature).toMatchObject({
      label: 'sig',
      algorithm: 'ed25519',
      parameters: PARAMETERS,
      validUntil: NOW + 65,
    });
    expect(signature.covered.map(({ name }) => name)).toEqual(COMPONENTS);
    expect(signature.key).toBe(verifier);
  });
});

describe('A1–A3 what is covered', () => {
  it('A1 an empty list of components is refused although its signature is valid', async () => {
    const message = await signed(request(), { components: [] });
    expect(await codeOf(message)).toBe('component_required');
    expect(await codeOf(message, nothingRequired)).toBe('ok');
  });

  it.each(['@method', '@authority', '@path', '@query', 'authorization', 'content-type', 'content-digest'])(
    'A2 A18 without %s it is refused',
    async (left) => {
      const message = await signed(request(), { components: COMPONENTS.filter((name) => name !== left) });
      expect(await codeOf(message)).toBe('component_required');
    },
  );

  it('A2 @target-uri stands for authority, path and query', async () => {
    const components = ['@method', '@target-uri', 'content-type', 'content-digest', 'authorization'];
    expect(await codeOf(await signed(request(), { components }))).toBe('ok');
  });

  it.each<[string, Partial<RequestMessage>]>([
    ['method', { method: 'DELETE' }],
    ['path', { target: '/repos/acme/other/pulls?draft=true' }],
    ['host', { authority: 'other.example.com' }],
    ['port', { authority: 'api.example.com:8443' }],
    ['trailing dot', { authority: 'api.example.com.' }],
  ])('A2 a replay with another %s is refused', async (_, change) => {
    expect(await codeOf({ ...(await signed(request())), ...change })).toBe('invalid');
  });

  it.each(['?draft=true&admin=1', '?draft=tru%65', '?admin=1&draft=true', ''])(
    'A3 the query %j is refused',
    async (query) => {
      const message = await signed(request());
      expect(await codeOf({ ...message, target: `/repos/acme/api/pulls${query}` })).toBe('invalid');
    },
  );

  it('A3 a re-ordered query is refused', async () => {
    const message = await signed(request({ target: '/a?x=1&y=2' }));
    expect(await codeOf(message)).toBe('ok');
    expect(await codeOf({ ...message, target: '/a?y=2&x=1' })).toBe('invalid');
  });

  it('A3 a second parameter of the covered name is refused, however it is spelt', async () => {
    const components = [...COMPONENTS, '"@query-param";name="draft"'];
    const message = await signed(request(), { components });
    expect(await codeOf(message)).toBe('ok');
    for (const query of ['?draft=true&draft=false', '?draft=true&dr%61ft=x', '?draft=true&draft']) {
      expect(await codeOf({ ...message, target: `/repos/acme/api/pulls${query}` })).toBe('component_malformed');
    }
  });
});

describe('A4 digest', () => {
  it('A4 another Content-Digest than the covered one is refused', async () => {
    const other = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';
    expect(await codeOf(rewrite(await signed(request()), 'content-digest', () => other))).toBe('invalid');
    expect(await codeOf(withFields(await signed(request()), 'Content-Digest', other))).toBe('invalid');
  });

  it('A5 a digest in the trailers does not stand for the covered field', async () => {
    const message = await signed(request());
    const digest = message.rawFields.slice(4, 6);
    expect(await codeOf({ ...without(message, 'content-digest'), rawTrailers: digest })).toBe('component_missing');
    const trailer = await signed(
      { ...request(), rawTrailers: digest },
      { components: [...COMPONENTS, 'content-digest;tr'] },
    );
    expect(await codeOf(trailer)).toBe('ok');
    expect(await codeOf({ ...trailer, rawTrailers: [] })).toBe('component_missing');
  });
});

describe('A6 components', () => {
  it('A6 a covered field that is absent is refused, never taken as empty', async () => {
    const empty = await signed(request({ rawFields: ['X-Empty', ''] }), {
      components: ['@method', '@target-uri', 'x-empty'],
    });
    expect(await codeOf(empty)).toBe('ok');
    expect(await codeOf(without(empty, 'x-empty'))).toBe('component_missing');
  });

  it.each([
    ['a component twice', '("@method" "@method")', 'malformed'],
    ['a component twice, parameters in another order', '("a";sf;key="x" "a";key="x";sf)', 'malformed'],
    ['an unknown derived component', '("@x")', 'component_unsupported'],
    ['@signature-params', '("@signature-params")', 'component_unsupported'],
    ['@status of a request', '("@status")', 'component_unsupported'],
    ['an unknown parameter', '("content-type";foo)', 'component_unsupported'],
    ['a parameter of a derived component', '("@method";sf)', 'component_unsupported'],
    ['a query parameter without a name', '("@query-param")', 'component_unsupported'],
    ['a query parameter named by a token', '("@query-param";name=draft)', 'component_unsupported'],
    ['req on a request', '("@method";req)', 'component_unsupported'],
    ['req of a field on a request', '("content-type";req)', 'component_unsupported'],
    ['a false flag', '("content-type";bs=?0)', 'component_unsupported'],
    ['bs with sf', '("content-digest";bs;sf)', 'component_unsupported'],
    ['bs with key', '("content-digest";bs;key="sha-256")', 'component_unsupported'],
    ['sf of a field of unknown type', '("content-type";sf)', 'component_unsupported'],
    ['a field name in upper case', '("Content-Type")', 'component_unsupported'],
    ['an empty name', '("")', 'component_unsupported'],
    ['a token for a name', '(@method)', 'malformed'],
    ['a token for a field name', '(content-type)', 'malformed'],
    ['no inner list', '"@method"', 'malformed'],
    ['a dictionary member that is absent', '("content-digest";key="sha-512")', 'component_missing'],
    ['a query parameter that is absent', '("@query-param";name="nope")', 'component_missing'],
    ['a trailer that is absent', '("content-digest";tr)', 'component_missing'],
  ])('A6 %s is refused', async (_, list, code) => {
    const message = withFields(
      request(),
      'Signature-Input',
      `sig=${list};created=${NOW};tag="${TAG}"`,
      'Signature',
      'sig=:AAAA:',
    );
    expect(await codeOf(message, nothingRequired)).toBe(code);
  });

  it('A6 a field that calls itself @method changes nothing', async () => {
    const message = await signed(request());
    expect(await codeOf(withFields(message, '@method', 'GET', '@path', '/other'))).toBe('ok');
    expect(await codeOf({ ...withFields(message, '@method', 'POST'), method: 'GET' })).toBe('invalid');
  });

  it.each(['line\nfeed', 'carriage\rreturn', 'nul\0', 'é', 'escape\u001b', '\u2028', '\u00a0'])(
    'A16 a covered value with %j is refused',
    async (value) => {
      const message = rewrite(await signed(request()), 'content-type', () => value);
      expect(await codeOf(message)).toBe('component_malformed');
    },
  );
});

describe('A7 several signatures', () => {
  it('A7 two signatures with our tag are refused, whichever is valid', async () => {
    const valid = await signed(request());
    for (const choice of [{ label: 'sig2' }, { label: 'a', components: ['@method'] }]) {
      expect(await codeOf(await signed(valid, choice))).toBe('ambiguous');
    }
  });

  it('A7 the one with our tag is verified, not the first', async () => {
    const other = await signed(request(), { label: 'proxy', parameters: { ...PARAMETERS, tag: 'proxy' } });
    expect(await codeOf(await signed(other))).toBe('ok');
    const broken = rewrite(await signed(other), 'signature', (value) => value.replace('sig=:', 'sig=:AAAA'));
    expect(await codeOf(broken)).not.toBe('ok');
  });

  it('A7 an attacker who prepends a signature with another tag and key gains nothing', async () => {
    const attacker = nativeSigningKey(generateKeyPairSync('ed25519').privateKey, { keyId: 'attacker' });
    const prepended = await signed(request(), { key: attacker, label: 'a', parameters: { ...PARAMETERS, tag: 'x' } });
    const result = await verifyMessage(await signed(prepended), policy());
    expect(result).toMatchObject({ ok: true, signature: { label: 'sig', parameters: { keyid: 'key-1' } } });
  });

  it('A7 a label twice is refused, in one line or in two', async () => {
    const message = await signed(request());
    const twice = rewrite(message, 'signature', (value) => `${value}, ${value}`);
    expect(await codeOf(twice)).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature', 'sig=:AAAA:'))).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature-Input', 'sig=()'))).toBe('ambiguous');
  });

  it('A7 a label in only one of the two fields is refused, also beside a valid signature', async () => {
    const message = await signed(request());
    expect(await codeOf(withFields(message, 'Signature', 'other=:AAAA:'))).toBe('ambiguous');
    expect(await codeOf(withFields(message, 'Signature-Input', 'other=();tag="x"'))).toBe('ambiguous');
    expect(await codeOf(without(message, 'signature'))).toBe('ambiguous');
    expect(await codeOf(without(message, 'signature-input'))).toBe('ambiguous');
  });
});

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

describe('A9 time', () => {
  it('A9 created in the future is refused beyond the skew', async () => {
    expect(await codeAt({}, NOW - 5)).toBe('ok');
    expect(await codeAt({}, NOW - 6)).toBe('not_yet_valid');
  });

  it('A9 expires ends it, with the skew', async () => {
    expect(await codeAt({ expires: NOW + 10 }, NOW + 14)).toBe('ok');
    expect(await codeAt({ expires: NOW + 10 }, NOW + 15)).toBe('expired');
  });

  it('A9 expires in 2100 is bounded by the age', async () => {
    expect(await codeAt({ expires: 4_102_444_800 }, NOW + 64)).toBe('ok');
    expect(await codeAt({ expires: 4_102_444_800 }, NOW + 65)).toBe('expired');
  });

  it('A9 no expires and an old created is refused', async () => {
    const { expires: _, ...parameters } = PARAMETERS;
    const message = await signed(request(), { parameters });
    expect(await codeOf(message, { now: NOW + 64 })).toBe('ok');
    expect(await codeOf(message, { now: NOW + 65 })).toBe('expired');
  });

  it('A9 validUntil is exactly the first moment of refusal', async () => {
    const message = await signed(request(), { parameters: { ...PARAMETERS, expires: NOW + 30 } });
    const result = await verifyMessage(message, policy());
    const until = result.ok ? result.signature.validUntil : expect.fail(result.detail);
    expect(await codeOf(message, { now: until - 0.001 })).toBe('ok');
    expect(await codeOf(message, { now: until })).toBe('expired');
  });

  it.each([
    ['missing', 'nonce="n";keyid="key-1"', 'parameter_missing'],
    ['a string', `created="${NOW}"`, 'parameter_malformed'],
    ['negative', 'created=-1', 'parameter_malformed'],
    ['a decimal', `created=${NOW}.0`, 'parameter_malformed'],
    ['a date', `created=@${NOW}`, 'parameter_malformed'],
    ['more than 15 digits', 'created=1700000000000000', 'malformed'],
    ['a flag', 'created', 'parameter_malformed'],
    ['after expires', `created=${NOW};expires=${NOW - 1}`, 'parameter_malformed'],
    ['equal to expires', `created=${NOW};expires=${NOW}`, 'parameter_malformed'],
    ['twice', `created=${NOW};created=${NOW + 1}`, 'malformed'],
    ['good, but expires is a string', `created=${NOW};expires="x"`, 'parameter_malformed'],
  ])('A9 created %s is refused', async (_, parameters, code) => {
    const input = `sig=("@method" "@target-uri" "authorization" "content-digest" "content-type");${parameters};tag="${TAG}"`;
    const message = withFields(request(), 'Signature-Input', input, 'Signature', 'sig=:AAAA:');
    expect(await codeOf(message)).toBe(code);
  });

  it('A9 without created there is no age, unless the policy asks for none', async () => {
    const { created: _, ...parameters } = PARAMETERS;
    const message = await signed(request(), { parameters });
    expect(await codeOf(message, { parameters: [] })).toBe('parameter_missing');
    expect(await codeOf(message, { parameters: [], maxAgeSeconds: Infinity })).toBe('ok');
  });

  it('A9 a policy whose numbers are not numbers refuses everything', async () => {
    const message = await signed(request());
    for (const name of ['now', 'maxAgeSeconds', 'clockSkewSeconds']) {
      expect(await codeOf(message, { [name]: Number.NaN })).not.toBe('ok');
    }
  });

  it.each(['keyid', 'nonce', 'tag', 'alg'])('A16 %s must be a String', async (name) => {
    const input = `sig=();created=${NOW};${name}=token`;
    const message = withFields(request(), 'Signature-Input', input, 'Signature', 'sig=:AAAA:');
    expect(await codeOf(message, { ...nothingRequired, select: { label: 'sig' } })).toBe('parameter_malformed');
  });
});

describe('A11 keys that cannot be found', () => {
  it('A11 passes the problem through, with the candidate, and never calls it invalid', async () => {
    const message = await signed(request());
    const problem = { problem: 'unreachable', retryAfterSeconds: 3 };
    const result = await verifyMessage(message, { ...policy(), resolveKey: async () => problem });
    expect(result).toMatchObject({ ok: false, code: 'key', problem, candidate: { parameters: { keyid: 'key-1' } } });
  });

  it('A11 a resolver that fails is our outage: it rejects', async () => {
    await expect(verifyMessage(await signed(request()), policy({ resolveKey: outage }))).rejects.toThrow(
      'directory down',
    );
  });

  it.each(['../../etc/passwd', '__proto__', 'k'.repeat(10_000), '" ; \\'])(
    'A11 the keyid %j reaches the resolver as it is',
    async (keyid) => {
      const seen: unknown[] = [];
      const message = await signed(request(), { parameters: { ...PARAMETERS, keyid } });
      const resolveKey: VerificationPolicy['resolveKey'] = ({ parameters }) => {
        seen.push(parameters.keyid);
        return { problem: 'unknown' };
      };
      expect(await codeOf(message, { resolveKey })).toBe('key');
      expect(seen).toEqual([keyid]);
    },
  );

  it('A11 the resolver is not asked about a message that can be refused without a key', async () => {
    const message = await signed(request());
    expect(await codeOf(message, { resolveKey: neverAsked, now: NOW + 1000 })).toBe('expired');
    expect(await codeOf(without(message, 'content-type'), { resolveKey: neverAsked })).toBe('component_missing');
  });
});

describe('A12 tags', () => {
  it.each([`${TAG}x`, TAG.slice(1), TAG.toUpperCase(), ` ${TAG}`, '', 'web-bot-auth'])(
    'A12 the tag %j is not ours',
    async (tag) => {
      expect(await codeOf(await signed(request(), { parameters: { ...PARAMETERS, tag } }))).toBe('missing');
    },
  );

  it('A12 a signed response is not a request', async () => {
    const response = await signed({ status: 200, rawFields: [] }, { components: ['@status'] });
    const asRequest = { ...request(), rawFields: response.rawFields };
    expect(await codeOf(asRequest)).toBe('component_required');
    expect(await codeOf(asRequest, nothingRequired)).toBe('component_unsupported');
    const result = await verifyMessage(response, policy());
    expect(result).toMatchObject({ ok: false, code: 'component_required' });
  });

  it('A17 no signature, and no signature of ours, is missing', async () => {
    expect(await codeOf(request())).toBe('missing');
    expect(await codeOf(request(), { select: { label: 'sig' } })).toBe('missing');
    expect(await codeOf(await signed(request()), { select: { label: 'other' } })).toBe('missing');
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

describe('A18 credentials that are not covered', () => {
  it('A18 a swapped Authorization is refused', async () => {
    const message = await signed(request());
    expect(await codeOf(rewrite(message, 'authorization', () => 'Bearer other'))).toBe('invalid');
    expect(await codeOf(withFields(message, 'Authorization', 'Bearer other'))).toBe('invalid');
  });

  it('A18 an Authorization added to a request that was signed without is refused', async () => {
    const plain = without(request(), 'authorization');
    const message = await signed(plain, { components: COMPONENTS.filter((name) => name !== 'authorization') });
    expect(await codeOf(message)).toBe('ok');
    expect(await codeOf(withFields(message, 'AUTHORIZATION', 'Bearer other'))).toBe('component_required');
  });

  it.each(['"authorization";bs', '"content-digest";key="sha-256"', '"content-digest";sf'])(
    'A18 %s does not count as the whole field',
    async (weaker) => {
      const name = weaker.slice(1, weaker.indexOf('"', 1));
      const message = await signed(request(), { components: [...COMPONENTS.filter((left) => left !== name), weaker] });
      expect(await codeOf(message)).toBe('component_required');
      const result = await verifyMessage(message, policy(nothingRequired));
      const covered = result.ok ? result.signature.covered : expect.fail(result.detail);
      expect(covers(covered, name)).toBe(false);
      expect(covers(covered, weaker)).toBe(true);
      expect(covers(covered, '@method')).toBe(true);
    },
  );
});

describe('responses', () => {
  const response = { status: 200, rawFields: ['Content-Type', 'application/json'], request: request() };
  const components = [
    '@status',
    'content-type',
    '"@method";req',
    '"authorization";req',
    '"@query-param";name="draft";req',
  ];
  const rules = { components: requireComponents({ all: ['@status', '"@method";req'] }) };

  it('binds a response to its request', async () => {
    const message = await signed(response, { components });
    expect(await verifyMessage(message, policy(rules))).toMatchObject({ ok: true });
    const { request: related, ...alone } = message;
    expect(await verifyMessage(alone, policy(rules))).toMatchObject({ code: 'component_missing' });
    const moved = { ...message, request: { ...related, method: 'GET' } };
    expect(await verifyMessage(moved, policy(rules))).toMatchObject({ code: 'invalid' });
    expect(await verifyMessage({ ...message, status: 500 }, policy(rules))).toMatchObject({ code: 'invalid' });
    expect(await verifyMessage({ ...message, status: 0 }, policy(rules))).toMatchObject({ code: 'component_missing' });
  });

  it('A6 does not take a request component for a response component', async () => {
    const message = withFields(
      response,
      'Signature-Input',
      `sig=("@method");created=${NOW};tag="${TAG}"`,
      'Signature',
      'sig=:AAAA:',
    );
    expect(await verifyMessage(message, policy(nothingRequired))).toMatchObject({ code: 'component_unsupported' });
    const status = withFields(
      response,
      'Signature-Input',
      `sig=("@status";req);created=${NOW};tag="${TAG}"`,
      'Signature',
      'sig=:AAAA:',
    );
    expect(await verifyMessage(status, policy(nothingRequired))).toMatchObject({ code: 'component_unsupported' });
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
