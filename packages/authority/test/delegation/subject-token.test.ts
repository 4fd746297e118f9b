import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import type { ExternalIssuerOptions } from '../../src/index.js';
import { startAuthority } from '../support/authority.js';
import { type AgentKey, claimsOf, dpopProof, exchange, newKey, ownToken } from '../support/client.js';

/** About now: the tests take seconds. */
const soon = Math.floor(Date.now() / 1000);

interface Login {
  readonly issuer: string;
  readonly key: KeyObject;
  readonly jwk: object;
}

function login(issuer: string): Login {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { issuer, key: privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid: 'k' } };
}

async function tokenOf({ issuer, key }: Login, claims: object = {}, header: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, sub: 'alice', aud: 'authority', scope: 'repo:read', iat: now, exp: now + 60, ...claims };
  const typed = { alg: 'EdDSA', typ: 'at+jwt', kid: 'k', ...header };
  return await new SignJWT(all).setProtectedHeader(typed).sign(key);
}

type Options = Pick<ExternalIssuerOptions, 'tokenTypes' | 'scopeClaim' | 'subjectClaim'>;

async function world(options: Options = {}) {
  const [acme, corp] = [login('https://login.acme.dev'), login('https://login.corp.dev')];
  const running = await startAuthority({
    externalIssuers: [
      { issuer: acme.issuer, audience: 'authority', subjectNamespace: 'acme:', jwks: { keys: [acme.jwk] }, ...options },
      { issuer: corp.issuer, audience: 'authority', subjectNamespace: 'corp:', jwks: { keys: [corp.jwk] } },
    ],
    exchange: [
      { agents: ['agent-a'], issuer: acme.issuer },
      { agents: ['agent-b'], issuer: corp.issuer },
      { agents: ['agent-b'], from: ['agent-a'] },
    ],
  });
  const [a, b] = [newKey(), newKey()];
  await running.authority.agents.add({ id: 'agent-a', jwk: a.jwk, capabilities: ['repo:read'] });
  await running.authority.agents.add({ id: 'agent-b', jwk: b.jwk, capabilities: ['repo:read'] });
  return { running, acme, corp, a, b };
}

describe('a subject token', () => {
  it('of one issuer is exchanged by the agents of its rule only, for a user within its namespace [C5, C8]', async () => {
    const { running, acme, corp, a, b } = await world();
    const [ofAcme, ofCorp] = [await tokenOf(acme), await tokenOf(corp)];
    expect(claimsOf((await exchange(running, 'agent-a', a, ofAcme)).access_token).sub).toBe('acme:alice');
    expect(claimsOf((await exchange(running, 'agent-b', b, ofCorp)).access_token).sub).toBe('corp:alice');
    for (const [agent, key, token] of [
      ['agent-a', a, ofCorp],
      ['agent-b', b, ofAcme],
    ] as const) {
      expect(await exchange(running, agent, key, token)).toMatchObject({
        error: 'invalid_grant',
        error_description: expect.stringContaining('no rule') as unknown,
      });
    }
    // Signed by the other issuer.
    const mixed = await tokenOf({ ...acme, key: corp.key });
    expect((await exchange(running, 'agent-a', a, mixed)).error).toBe('invalid_grant');
  });

  it('is none of the other documents that the authority signs [B3]', async () => {
    const { running, acme, a, b } = await world();
    const first = await exchange(running, 'agent-a', a, await tokenOf(acme));
    for (const path of ['/agents.jwt', '/status/0']) {
      const document = await (await fetch(running.issuer + path)).text();
      expect((await exchange(running, 'agent-b', b, document)).error).toBe('invalid_grant');
    }
    expect((await exchange(running, 'agent-b', b, first.access_token)).error).toBeUndefined();
  });

  it('of an agent itself makes a chain that dies with it [C7]', async () => {
    const { running, a, b } = await world();
    const own = await ownToken(running, 'agent-a', a);
    const chained = await exchange(running, 'agent-b', b, own.access_token);
    expect(claimsOf(chained.access_token)).toMatchObject({ sub: 'agent-a', act: { sub: 'agent-b' } });
    await running.authority.delegations.revoke({ delegation: String(claimsOf(own.access_token).jti) });
    expect((await exchange(running, 'agent-b', b, chained.access_token)).error).toBe('invalid_grant');
  });

  it('names its user by the claim that is configured [C5]', async () => {
    const { running, acme, a } = await world({ subjectClaim: 'uid' });
    const named = await exchange(running, 'agent-a', a, await tokenOf(acme, { uid: '00u1', sub: 'alice@acme.dev' }));
    expect(claimsOf(named.access_token).sub).toBe('acme:00u1');
    const unnamed = await exchange(running, 'agent-a', a, await tokenOf(acme, { uid: '00u1', sub: undefined }));
    expect(claimsOf(unnamed.access_token).sub).toBe('acme:00u1');
    for (const uid of [undefined, null, '', 7, ['00u1'], { id: '00u1' }, 'a\nb']) {
      expect(await exchange(running, 'agent-a', a, await tokenOf(acme, { uid }))).toMatchObject({
        error: 'invalid_grant',
        error_description: "the claim 'uid' of the subject token names nobody",
      });
    }
    const ofClient = await tokenOf(acme, { uid: 'client', client_id: 'client' });
    expect((await exchange(running, 'agent-a', a, ofClient)).error_description).toContain('application');
  });

  it('whose sub is no text is refused, also a number [B7]', async () => {
    const { running, acme, a } = await world();
    for (const sub of [7, ['alice'], '']) {
      expect((await exchange(running, 'agent-a', a, await tokenOf(acme, { sub }))).error).toBe('invalid_grant');
    }
  });

  it.each([
    ['a text', 'openid a::b  repo:read'],
    ['a list', ['openid', 'a::b', 7, 'x y', 'repo:read']],
  ])('grants the scopes in %s, whatever else is in it [B7]', async (_, scope) => {
    const { running, acme, a } = await world();
    expect((await exchange(running, 'agent-a', a, await tokenOf(acme, { scope }))).scope).toBe('repo:read');
  });

  it.each([[undefined], [''], [{}], ['a::b'], [['repo:read pr:write']]])(
    'with the scope %j grants nothing [B7]',
    async (scope) => {
      const { running, acme, a } = await world();
      const made = await exchange(running, 'agent-a', a, await tokenOf(acme, { scope }));
      expect(made.access_token).toBeUndefined();
      expect(made.error).toMatch(/^invalid_/);
    },
  );

  it('without typ is accepted only where that is configured [B3]', async () => {
    const [strict, open] = [await world(), await world({ tokenTypes: [''] })];
    const untyped = { typ: undefined };
    expect((await exchange(strict.running, 'agent-a', strict.a, await tokenOf(strict.acme, {}, untyped))).error).toBe(
      'invalid_grant',
    );
    const made = await exchange(open.running, 'agent-a', open.a, await tokenOf(open.acme, {}, untyped));
    expect(made.scope).toBe('repo:read');
    expect((await exchange(open.running, 'agent-a', open.a, await tokenOf(open.acme))).error).toBe('invalid_grant');
  });

  it.each([
    ['without iat', { iat: undefined }, 'has no iat'],
    ['whose iat is a text', { iat: '1' }, 'does not verify'],
    ['of the future', { iat: soon + 60 }, 'is in the future'],
    ['that lives longer than an end is remembered', { exp: soon + 2_592_100 }, 'lives longer than 30 days'],
  ])('%s is refused, so that no user ends it in vain [B6, C7]', async (_, claims, reason) => {
    const { running, acme, a } = await world();
    expect(await exchange(running, 'agent-a', a, await tokenOf(acme, claims))).toMatchObject({
      error: 'invalid_grant',
      error_description: expect.stringContaining(reason) as unknown,
    });
  });

  it('may live 30 days, and come from a clock that is a little ahead', async () => {
    const { running, acme, a } = await world();
    for (const claims of [{ iat: soon, exp: soon + 2_592_000 }, { iat: Math.floor(Date.now() / 1000) + 4 }]) {
      expect((await exchange(running, 'agent-a', a, await tokenOf(acme, claims))).error).toBeUndefined();
    }
  });

  it.each([
    [{ client_id: 'alice' }],
    [{ azp: 'alice' }],
    [{ cid: 'alice' }],
    [{ appid: 'alice' }],
    [{ client_id: 'cli', sub: 'cli@clients' }],
    [{ azp: 'cli', preferred_username: 'service-account-cli' }],
    [{ oid: 'alice', azp: 'cli', scp: undefined }],
    [{ gty: 'client-credentials' }],
    [{ gty: ['client-credentials'] }],
    [{ idtyp: 'app' }],
    [{ sub_profile: 'ai_agent' }],
    [{ sub_profile: 'service ai_agent' }],
  ])('with %j is that of an application or agent, for which nobody acts [B7, C2]', async (claims) => {
    const { running, acme, a } = await world();
    expect(await exchange(running, 'agent-a', a, await tokenOf(acme, claims))).toMatchObject({
      error: 'invalid_grant',
      error_description: expect.stringContaining('application') as unknown,
    });
  });

  it('is that of a user whom Entra ID calls by an object, if it has scopes', async () => {
    const { running, acme, a } = await world();
    const token = await tokenOf(acme, { oid: 'alice', azp: 'cli', scp: 'repo:read' });
    expect((await exchange(running, 'agent-a', a, token)).error).toBeUndefined();
  });

  const invoice = { type: 'Invoice', identifier: '7', actions: ['invoice.pay'] };

  it('passes its authorization details on, and no request widens them [C6]', async () => {
    const { running, acme, a, b } = await world();
    const token = await tokenOf(acme, { authorization_details: [invoice] });
    const first = await exchange(running, 'agent-a', a, token);
    const second = await exchange(running, 'agent-b', b, first.access_token);
    for (const { access_token: made } of [first, second]) {
      expect(claimsOf(made)['authorization_details']).toEqual([invoice]);
    }
    const ask = async (details: object) =>
      await exchange(running, 'agent-a', a, token, { authorization_details: JSON.stringify([details]) });
    for (const wider of [{ ...invoice, identifier: '8' }, { type: 'Invoice' }, { type: 'Order' }]) {
      expect((await ask(wider)).error).toBe('invalid_grant');
    }
    const narrower = { ...invoice, locations: ['https://api.acme.dev'] };
    expect(claimsOf((await ask(narrower)).access_token)['authorization_details']).toEqual([narrower]);
  });

  it('passes on how often it may be handed on, and 0 forbids the exchange [C6]', async () => {
    const { running, acme, a, b } = await world();
    const first = await exchange(running, 'agent-a', a, await tokenOf(acme, { max_hops: 1 }));
    expect(claimsOf(first.access_token)['max_hops']).toBe(0);
    for (const refused of [
      await exchange(running, 'agent-b', b, first.access_token),
      await exchange(running, 'agent-a', a, await tokenOf(acme, { max_hops: 0 })),
    ]) {
      expect(refused).toMatchObject({
        error: 'invalid_grant',
        error_description: 'The token or link before a link forbids to hand it on.',
      });
    }
  });

  it.each([
    ['authorization details', { authorization_details: [] }],
    ['authorization details as a text', { authorization_details: JSON.stringify([invoice]) }],
    ['hops', { max_hops: '1' }],
    ['rule of comparison', { scope_match: 'prefix' }],
    ['key', { cnf: 'a key' }],
    ['key of a certificate', { cnf: { 'x5t#S256': 'A'.repeat(43) } }],
  ])('with %s that cannot be read is refused [C6, B8]', async (_, claims) => {
    const { running, acme, a } = await world();
    expect(await exchange(running, 'agent-a', a, await tokenOf(acme, claims))).toMatchObject({
      error: 'invalid_grant',
      error_description: expect.stringContaining('cannot be read') as unknown,
    });
  });

  it('whose scopes were compared otherwise than at the API is refused [C6]', async () => {
    const { running, acme, a } = await world();
    expect(await exchange(running, 'agent-a', a, await tokenOf(acme, { scope_match: 'exact' }))).toMatchObject({
      error: 'invalid_grant',
      error_description: 'the issuer of the subject token compares scopes otherwise than the API',
    });
    const same = await exchange(running, 'agent-a', a, await tokenOf(acme, { scope_match: 'hierarchical' }));
    expect(same.error).toBeUndefined();
  });

  it('that is bound to a key is exchanged only with a proof of that key [B8]', async () => {
    const { running, acme, a } = await world();
    const [bound, other] = [newKey(), newKey()];
    const token = await tokenOf(acme, { cnf: { jkt: bound.thumbprint } });
    const withProof = async (key: AgentKey, claims?: object) => {
      const headers = { dpop: dpopProof(`${running.issuer}/token`, key, { ...(claims !== undefined && { claims }) }) };
      return await exchange(running, 'agent-a', a, token, {}, { headers });
    };
    for (const refused of [await exchange(running, 'agent-a', a, token), await withProof(other)]) {
      expect(refused).toMatchObject({
        error: 'invalid_grant',
        error_description: 'the subject token is bound to a key (cnf): send a DPoP proof of that key',
      });
    }
    expect((await withProof(bound, { htu: `${running.issuer}/other` })).error).toBe('invalid_dpop_proof');
    expect(claimsOf((await withProof(bound)).access_token)['cnf']).toEqual({ jkt: bound.thumbprint });
    const ofAgent = await exchange(running, 'agent-a', a, await tokenOf(acme, { cnf: { jwk: a.jwk } }));
    expect(claimsOf(ofAgent.access_token)['cnf']).toEqual({ jwk: a.jwk });
  });
});
