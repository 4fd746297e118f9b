import { generateKeyPairSync, KeyObject, verify, webcrypto } from 'node:crypto';
import * as fc from 'fast-check';
import { decodeProtectedHeader, type JWK, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { type DelegationClaims, readClaims } from '../src/claims.js';
import { delegatedChain } from '../src/delegated-chain.js';
import { DelegationError, type DelegationErrorCode } from '../src/error.js';
import { mintDelegation, type MintDelegationOptions } from '../src/mint.js';
import { AGENT, NOW, OTHER_THUMBPRINT, RFC8037_JWK, RFC8037_THUMBPRINT } from './support.js';
import { cutDown, isWithin, type Limits, limits, name, requestsOf, rights } from './world.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const privateJwk: JWK = privateKey.export({ format: 'jwk' });

const OPTIONS: MintDelegationOptions = {
  issuer: 'https://id.example',
  key: privateKey,
  user: 'user_123',
  agent: 'agent-1',
  scope: 'repo:read pr:write',
  audience: 'https://api.example',
  lifetimeSeconds: 300,
  now: NOW,
};

async function payloadOf(token: string, key: KeyObject = publicKey): Promise<Record<string, unknown>> {
  return (await jwtVerify(token, key, { currentDate: new Date(NOW * 1000), typ: 'at+jwt' })).payload;
}

/** Mints with some options replaced; as `Record` so that wrong types can be tried. */
const mint = (replaced: Record<string, unknown> = {}): Promise<string> => mintDelegation({ ...OPTIONS, ...replaced });

const confirmationOf = async (replaced: Record<string, unknown>): Promise<unknown> =>
  (await payloadOf(await mint(replaced)))['cnf'];

async function errorOf(minting: Promise<string>): Promise<DelegationError> {
  const error: unknown = await minting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DelegationError);
  return error as DelegationError;
}

describe('mintDelegation', () => {
  it('mints an RFC 9068 access token with an RFC 8693 actor', async () => {
    const token = await mint({ id: 'delegation-1', keyId: 'issuer-1' });
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'at+jwt', alg: 'EdDSA', kid: 'issuer-1' });
    expect(await payloadOf(token)).toEqual({
      iss: 'https://id.example',
      sub: 'user_123',
      aud: 'https://api.example',
      client_id: 'agent-1',
      scope: 'repo:read pr:write',
      act: { sub: 'agent-1' },
      iat: NOW,
      exp: NOW + 300,
      jti: 'delegation-1',
    });
  });

  it('signs what node:crypto verifies', async () => {
    const [header, payload, signature] = (await mint()).split('.') as [string, string, string];
    expect(verify(null, Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(
      true,
    );
  });

  it('gives each delegation its own id', async () => {
    const ids = await Promise.all([mint(), mint()].map(async (token) => (await payloadOf(await token))['jti']));
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('takes scopes and audiences as lists, and a client id', async () => {
    const token = await mint({ scope: ['repo:read', 'pr'], audience: ['https://a.example', 'b'], clientId: 'console' });
    expect(await payloadOf(token)).toMatchObject({
      scope: 'repo:read pr',
      aud: ['https://a.example', 'b'],
      client_id: 'console',
    });
  });

  it('binds to a key by thumbprint, by the key itself, or by both', async () => {
    const both = { jkt: RFC8037_THUMBPRINT, jwk: RFC8037_JWK };
    expect(await confirmationOf({ agentKeyThumbprint: RFC8037_THUMBPRINT })).toEqual({ jkt: RFC8037_THUMBPRINT });
    expect(await confirmationOf({ agentPublicKey: { ...RFC8037_JWK, kid: 'x', alg: 'EdDSA' } })).toEqual(both);
    expect(await confirmationOf({ agentPublicKey: RFC8037_JWK, agentKeyThumbprint: RFC8037_THUMBPRINT })).toEqual(both);
    expect(await confirmationOf({})).toBeUndefined();
  });

  it('mints a token that readClaims accepts and the agent can use', async () => {
    const id = fc.stringMatching(/^[a-z0-9_:@/.-]{1,20}$/);
    const scope = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}(:[a-z]{1,5}){0,2}$/), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(id, { minLength: 3, maxLength: 3 }), scope, async (ids, granted) => {
        const [user = '', agent = '', jti = ''] = ids;
        const read = readClaims(await payloadOf(await mint({ user, agent, id: jti, scope: granted })));
        if (!read.ok) throw new Error(read.code);
        expect(read.claims).toMatchObject({ subject: user, actor: { subject: agent }, id: jti, scope: granted });
        const root = { token: read.claims, tokenHash: OTHER_THUMBPRINT };
        expect(delegatedChain({ root, links: [], actor: { ...AGENT, id: agent }, maxDepth: 1 }).ok).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe('limits of a delegation', () => {
  it('are minted as claims that readClaims accepts', async () => {
    const authorizationDetails = [{ type: 'Repo', identifier: 'acme/api', actions: ['pr.create'] }];
    const statusReference = { uri: 'https://id.example/status/1', index: 7 };
    const payload = await payloadOf(await mint({ authorizationDetails, maxHops: 0, statusReference }));
    expect(payload).toMatchObject({
      authorization_details: authorizationDetails,
      max_hops: 0,
      status: { status_list: { idx: 7, uri: 'https://id.example/status/1' } },
    });
    const read = readClaims(payload);
    expect(read).toMatchObject({ ok: true, claims: { authorizationDetails, maxHops: 0, statusReference } });
  });
});

async function claimsOfToken(token: string): Promise<DelegationClaims> {
  const read = readClaims(await payloadOf(token));
  if (!read.ok) throw new Error(read.code);
  return read.claims;
}

const claimsOf = async (replaced: Record<string, unknown>): Promise<DelegationClaims> =>
  claimsOfToken(await mint(replaced));

describe('a delegation in exchange for a previous one', () => {
  it('says how its scope was compared with that of the previous one [C6]', async () => {
    expect((await claimsOf({})).scopeMatch).toBe(undefined);
    const previous = await claimsOf({ scopeMatch: 'exact' });
    expect(previous.scopeMatch).toBe('exact');
    expect((await claimsOf({ agent: 'agent-2', previous })).scopeMatch).toBe('exact');
    const narrower = { agent: 'agent-2', scope: 'pr:write:draft' };
    expect((await errorOf(mint({ ...narrower, previous }))).code).toBe('scope_wider');
    expect((await claimsOf({ ...narrower, previous: await claimsOf({}) })).scopeMatch).toBe('hierarchical');
    expect((await errorOf(mint({ scopeMatch: 'Exact' }))).code).toBe('scope_match_malformed');
  });

  const STATUS = { uri: 'https://id.example/status/1', index: 7 };

  it('keeps every actor, the most recent outermost [C9]', async () => {
    const first = await claimsOf({ agent: 'agent-1' });
    const second = await claimsOf({ agent: 'agent-2', previous: first });
    expect((await payloadOf(await mint({ agent: 'agent-3', previous: second })))['act']).toEqual({
      sub: 'agent-3',
      act: { sub: 'agent-2', act: { sub: 'agent-1' } },
    });
  });

  it('names every token that it was made from, with the key to which it was bound [C7]', async () => {
    const first = await claimsOf({ id: 'd-1', agentKeyThumbprint: RFC8037_THUMBPRINT });
    const second = await claimsOf({ id: 'd-2', agent: 'agent-2', previous: first });
    const third = await payloadOf(await mint({ agent: 'agent-3', previous: second }));
    expect(third['ancestors']).toEqual([{ jti: 'd-2' }, { jti: 'd-1', jkt: RFC8037_THUMBPRINT }]);
    expect(first.ancestors).toBeUndefined();
  });

  it('keeps the issuer that an actor names', async () => {
    const payload = { ...(await payloadOf(await mint())), act: { sub: 'agent-1', iss: OPTIONS.issuer } };
    const read = readClaims(payload);
    if (!read.ok) throw new Error(read.code);
    const exchanged = await payloadOf(await mint({ agent: 'agent-2', previous: read.claims }));
    expect(exchanged['act']).toEqual({ sub: 'agent-2', act: { sub: 'agent-1', iss: OPTIONS.issuer } });
  });

  it("may replace a user's own token, which has no actor", async () => {
    const read = readClaims({ iss: OPTIONS.issuer, sub: 'user_123', aud: OPTIONS.audience, exp: NOW + 900 });
    if (!read.ok) throw new Error(read.code);
    expect((await claimsOf({ previous: read.claims })).actor).toEqual({ subject: 'agent-1' });
  });

  it.each<[string, object]>([
    ['says so', { sub_profile: 'ai_agent' }],
    ['is of its client', { client_id: 'agent-0' }],
  ])('makes no user of an agent whose own token %s [C9]', async (_how, claims) => {
    const own = { iss: OPTIONS.issuer, sub: 'agent-0', aud: OPTIONS.audience, exp: NOW + 900, scope: OPTIONS.scope };
    const read = readClaims({ ...own, ...claims });
    if (!read.ok) throw new Error(read.code);
    const first = await claimsOf({ user: 'agent-0', previous: read.claims });
    expect(first.subjectType).toBe('agent');
    expect((await claimsOf({ user: 'agent-0', agent: 'agent-2', previous: first })).subjectType).toBe('agent');
  });

  it('keeps the limits of the previous token that the options do not narrow [C6]', async () => {
    const authorizationDetails = [{ type: 'Repo' }];
    const previous = await claimsOf({ authorizationDetails, maxHops: 2, statusReference: STATUS });
    expect(await claimsOf({ agent: 'agent-2', previous })).toMatchObject({
      authorizationDetails,
      maxHops: 1,
      statusReference: STATUS,
    });
    const narrower = [{ type: 'Repo', identifier: 'acme/api' }];
    const own = { ...STATUS, index: 8 };
    const options = { authorizationDetails: narrower, maxHops: 0, statusReference: own };
    expect(await claimsOf({ agent: 'agent-2', previous, ...options })).toMatchObject(options);
  });

  it.each<[DelegationErrorCode, Record<string, unknown>, Record<string, unknown>]>([
    ['previous_mismatch', { user: 'user_456' }, {}],
    ['previous_mismatch', { issuer: 'https://other.example' }, {}],
    ['actor_repeated', { agent: 'agent-1' }, {}],
    ['scope_wider', { scope: 'repo' }, {}],
    ['expiry_wider', { lifetimeSeconds: 301 }, {}],
    ['audience_wider', { audience: ['https://api.example', 'b'] }, {}],
    [
      'authorization_details_wider',
      { authorizationDetails: [{ type: 'Repo' }] },
      { authorizationDetails: [{ type: 'B' }] },
    ],
    ['max_hops_wider', { maxHops: 2 }, { maxHops: 2 }],
    ['redelegation_forbidden', {}, { maxHops: 0 }],
  ])('is refused as %s when it has %j and the previous one %j [C6, C9]', async (code, replaced, before) => {
    const previous = await claimsOf(before);
    expect((await errorOf(mint({ agent: 'agent-2', previous, ...replaced }))).code).toBe(code);
  });
});

const actorsOf = ({ actor, priorActors }: DelegationClaims): readonly string[] =>
  [...(actor === undefined ? [] : [actor]), ...priorActors].map(({ subject }) => subject);

/** The token issued in exchange, or undefined if the issuer refuses. */
async function exchanged(previous: DelegationClaims, agent: string, wanted: Limits) {
  const { expiresAt, ...limits } = wanted;
  const minting = mint({ ...limits, agent, lifetimeSeconds: expiresAt - NOW, previous });
  const token = await minting.catch((reason: unknown) => {
    expect(reason).toBeInstanceOf(DelegationError);
    return undefined;
  });
  return token === undefined ? undefined : claimsOfToken(token);
}

describe('any sequence of exchanges', () => {
  it('keeps every actor, and never widens anything [C6, C9]', async () => {
    const honest = fc.nat(3).map((die) => die > 0);
    let exchanges = 0;
    await fc.assert(
      fc.asyncProperty(limits, fc.array(fc.tuple(name, limits, honest), { maxLength: 5 }), async (first, steps) => {
        const { expiresAt, ...given } = first;
        let held = await claimsOf({ ...given, agent: 'agent-9', lifetimeSeconds: expiresAt - NOW });
        for (const [agent, wanted, cut] of steps) {
          const next = await exchanged(held, agent, cut ? cutDown(wanted, held) : wanted);
          if (next === undefined) continue;
          exchanges++;
          expect(actorsOf(next)).toEqual([agent, ...actorsOf(held)]);
          expect(new Set(actorsOf(next)).size).toBe(actorsOf(next).length);
          expect(isWithin(rights(next.scope), rights(held.scope))).toBe(true);
          expect(next.expiresAt).toBeLessThanOrEqual(held.expiresAt);
          expect(isWithin(next.audience, held.audience)).toBe(true);
          expect(isWithin(requestsOf(next.authorizationDetails), requestsOf(held.authorizationDetails))).toBe(true);
          if (held.maxHops !== undefined) expect(next.maxHops).toBeLessThan(held.maxHops);
          held = next;
        }
      }),
      { numRuns: 60 },
    );
    expect(exchanges).toBeGreaterThan(20);
  });
});

describe('the key of the issuer', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsaJwk = rsa.privateKey.export({ format: 'jwk' });

  it.each<[string, MintDelegationOptions['key'], KeyObject, string]>([
    ['Ed25519 KeyObject', privateKey, publicKey, 'EdDSA'],
    ['Ed25519 JWK', privateJwk, publicKey, 'EdDSA'],
    ['Ed25519 JWK that asks for the name of RFC 9864', { ...privateJwk, alg: 'Ed25519' }, publicKey, 'Ed25519'],
    ['P-256 KeyObject', ec.privateKey, ec.publicKey, 'ES256'],
    ['P-384 JWK', p384.privateKey.export({ format: 'jwk' }), p384.publicKey, 'ES384'],
    ['RSA KeyObject', rsa.privateKey, rsa.publicKey, 'RS256'],
    ['RSA JWK that asks for PS256', { ...rsaJwk, alg: 'PS256' }, rsa.publicKey, 'PS256'],
  ])('may be an %s', async (_, key, verifying, alg) => {
    const token = await mint({ key });
    expect(decodeProtectedHeader(token).alg).toBe(alg);
    expect((await payloadOf(token, verifying))['sub']).toBe('user_123');
  });

  it('may be a CryptoKey that cannot be exported', async () => {
    const pair = await webcrypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    if (!('privateKey' in pair)) throw new Error('not a pair');
    expect((await payloadOf(await mint({ key: pair.privateKey }), KeyObject.from(pair.publicKey)))['sub']).toBe(
      'user_123',
    );
  });

  it('provides the kid unless the options name another', async () => {
    const key = { ...privateJwk, kid: 'from-jwk' };
    expect(decodeProtectedHeader(await mint({ key })).kid).toBe('from-jwk');
    expect(decodeProtectedHeader(await mint({ key, keyId: 'named' })).kid).toBe('named');
    expect(decodeProtectedHeader(await mint())).not.toHaveProperty('kid');
  });

  const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const x25519 = generateKeyPairSync('x25519');
  const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  it.each<[string, unknown]>([
    ['a public KeyObject', publicKey],
    ['a public JWK', publicKey.export({ format: 'jwk' })],
    ['a secret JWK', { kty: 'oct', k: 'AAAA' }],
    ['a secret JWK that names HS256', { kty: 'oct', k: 'AAAA', alg: 'HS256' }],
    ['a JWK that names HS256', { ...privateJwk, alg: 'HS256' }],
    ['a JWK that names none', { ...privateJwk, alg: 'none' }],
    ['a JWK of another algorithm', { ...privateJwk, alg: 'ES256' }],
    ['a JWK for encryption', { ...privateJwk, use: 'enc' }],
    ['a JWK that may only verify', { ...privateJwk, key_ops: ['verify'] }],
    ['a JWK whose kid is no identifier', { ...privateJwk, kid: 'a\nb' }],
    ['RSA of 1024 bits', rsa1024.privateKey],
    ['X25519', x25519.privateKey],
    ['secp256k1', k1.privateKey],
    ['PEM text', privateKey.export({ format: 'pem', type: 'pkcs8' })],
    ['null', null],
    ['nothing', undefined],
  ])('may not be %s [A8]', async (_, key) => {
    expect((await errorOf(mint({ key }))).code).toBe('key_unusable');
  });
});

describe('mistakes of the program', () => {
  it.each([
    [{ agent: undefined }, /^option 'agent': act/],
    [{ agent: 'a ' }, /^option 'agent': client_id must be an identifier/],
    [{ agent: null }, /^option 'agent': client_id/],
    [{ clientId: 'a ' }, /^option 'clientId': client_id/],
    [{ scope: 'a::b' }, /^option 'scope': scope must be/],
    [{ user: '' }, /^option 'user': sub/],
    [{ audience: [] }, /^option 'audience': aud/],
  ])('name the option, because a claim has another name: %j', async (replaced, message) => {
    expect((await errorOf(mint(replaced))).message).toMatch(message);
  });

  it.each<[Record<string, unknown>, DelegationErrorCode]>([
    [{ scope: '' }, 'scope_malformed'],
    [{ scope: [] }, 'scope_malformed'],
    [{ scope: ['repo:read', ''] }, 'scope_malformed'],
    [{ scope: ['repo:read admin'] }, 'scope_malformed'],
    [{ scope: ['repo:read', 'pr:write admin'] }, 'scope_malformed'],
    [{ scope: 'repo::read' }, 'scope_malformed'],
    [{ scope: null }, 'scope_malformed'],
    [{ user: 'agent-1' }, 'actor_is_subject'],
    [{ user: 'client-7', clientId: 'client-7' }, 'subject_is_client'],
    [{ user: '' }, 'subject_malformed'],
    [{ user: undefined }, 'subject_malformed'],
    [{ agent: 'agent-1 ' }, 'client_id_malformed'],
    [{ agent: 'agent-1 ', clientId: 'console' }, 'actor_malformed'],
    [{ id: '' }, 'token_id_malformed'],
    [{ issuer: '' }, 'issuer_malformed'],
    [{ audience: '' }, 'audience_malformed'],
    [{ audience: [] }, 'audience_malformed'],
    [{ audience: undefined }, 'audience_malformed'],
    [{ lifetimeSeconds: 0 }, 'lifetime_invalid'],
    [{ lifetimeSeconds: -1 }, 'lifetime_invalid'],
    [{ lifetimeSeconds: 86_401 }, 'lifetime_invalid'],
    [{ lifetimeSeconds: 1.5 }, 'lifetime_invalid'],
    [{ lifetimeSeconds: NaN }, 'lifetime_invalid'],
    [{ lifetimeSeconds: '300' }, 'lifetime_invalid'],
    [{ lifetimeSeconds: undefined }, 'lifetime_invalid'],
    [{ now: NOW * 1000 }, 'times_invalid'],
    [{ now: NOW + 0.5 }, 'times_invalid'],
    [{ now: -1 }, 'times_invalid'],
    [{ now: undefined }, 'times_invalid'],
    [{ now: new Date(NOW) }, 'times_invalid'],
    [{ agentKeyThumbprint: 'short' }, 'confirmation_malformed'],
    [{ agentKeyThumbprint: '' }, 'confirmation_malformed'],
    [{ agentKeyThumbprint: OTHER_THUMBPRINT, agentPublicKey: RFC8037_JWK }, 'confirmation_malformed'],
    [{ agentPublicKey: privateJwk }, 'confirmation_malformed'],
    [{ agentPublicKey: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } }, 'confirmation_unsupported'],
    [{ authorizationDetails: [] }, 'authorization_details_malformed'],
    [{ authorizationDetails: [{ actions: ['pr.create'] }] }, 'authorization_details_malformed'],
    [{ maxHops: -1 }, 'max_hops_malformed'],
    [{ maxHops: 1.5 }, 'max_hops_malformed'],
    [{ statusReference: { uri: 'https://id.example/status', index: -1 } }, 'status_malformed'],
    [{ statusReference: { uri: '', index: 0 } }, 'status_malformed'],
    [{ keyId: '' }, 'key_unusable'],
    [{ agentKeyThumprint: RFC8037_THUMBPRINT }, 'option_unknown'],
    [{ may_act: {} }, 'option_unknown'],
    [{ maxHops: undefined }, 'option_undefined'],
    [{ authorizationDetails: [{ type: 'Repo', actions: undefined }] }, 'option_undefined'],
    [{ authorizationDetails: [{ type: 'Repo' }, { type: 'Repo', identifiers: ['1'] }] }, 'option_unknown'],
    [{ authorizationDetails: 'Repo' }, 'authorization_details_malformed'],
    [{ authorizationDetails: [null] }, 'authorization_details_malformed'],
  ])('%j is refused as %s', async (replaced, code) => {
    expect((await errorOf(mint(replaced))).code).toBe(code);
  });

  it('are typed errors that are also TypeErrors', async () => {
    const error = await errorOf(mint({ agentKeyThumprint: 'x' }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.name).toBe('DelegationError');
    expect(error.message).toContain('agentKeyThumprint');
  });

  it.each([
    [{ maxHop: 0 }, "unknown option 'maxHop'. Did you mean 'maxHops'?"],
    [{ ttl: 60 }, /^unknown option 'ttl'. Known options: issuer, key, .*, lifetimeSeconds, now, /],
    [{ now: NOW * 1000 }, 'now must be whole unix seconds: milliseconds / 1000, rounded down'],
    [
      { authorizationDetails: [{ type: 'Repo', identifiers: ['1'] }] },
      "unknown member of authorizationDetails 'identifiers'. Did you mean 'identifier'?",
    ],
    [{ authorizationDetails: [{ type: 'Repo', amount: 5 }] }, /Known members: type, identifier, actions/],
  ])('correct %j in their message [C6]', async (replaced, message) => {
    expect((await errorOf(mint(replaced))).message).toMatch(message);
  });

  it('keep the underlying error as their cause', async () => {
    expect((await errorOf(mint({ key: null }))).cause).toBeInstanceOf(TypeError);
  });

  it('do not include a lifetime of exactly one day', async () => {
    expect(await payloadOf(await mint({ lifetimeSeconds: 86_400 }))).toMatchObject({ exp: NOW + 86_400 });
  });
});
