import { type KeyObject, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import type { ExchangeRule } from '../../src/index.js';
import { api, startAuthority } from '../support/authority.js';
import { type AgentKey, claimsOf, exchange, newKey, ownToken, post } from '../support/client.js';

const idp = 'https://idp.acme.dev';
const now = () => Math.floor(Date.now() / 1000);

const rules: readonly ExchangeRule[] = [
  { agents: ['agent-a'], issuer: idp },
  { tag: 'second', from: ['agent-a'] },
  { agents: ['agent-c'], from: ['agent-b'], scope: ['repo:read'] },
];

async function world(options: Parameters<typeof startAuthority>[0] = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const running = await startAuthority({
    externalIssuers: [
      {
        issuer: idp,
        audience: 'https://id.acme.dev',
        subjectNamespace: 'acme:',
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'idp-1' }] },
      },
    ],
    exchange: rules,
    ...options,
  });
  const keys: Record<'a' | 'b' | 'c' | 'x', AgentKey> = { a: newKey(), b: newKey(), c: newKey(), x: newKey() };
  for (const [name, key] of Object.entries(keys)) {
    await running.authority.agents.add({
      id: `agent-${name}`,
      publicKey: key.publicKey,
      capabilities: ['repo', 'pr:write'],
      tags: name === 'b' ? ['second'] : [],
    });
  }
  return { running, keys, user: await userToken(privateKey), privateKey };
}

async function userToken(key: KeyObject, claims: object = {}, header: object = {}): Promise<string> {
  const all = {
    iss: idp,
    sub: 'alice',
    aud: 'https://id.acme.dev',
    scope: 'repo:read pr:write admin',
    iat: now(),
    exp: now() + 120,
    ...claims,
  };
  return await new SignJWT(all).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'idp-1', ...header }).sign(key);
}

describe('token exchange', () => {
  it('makes a delegated token of a token of an external issuer, and a chain of it', async () => {
    const { running, keys, user } = await world();
    const first = await exchange(running, 'agent-a', keys.a, user, { scope: 'repo:read pr:write:draft' });
    expect(first).toMatchObject({ scope: 'repo:read pr:write:draft', token_type: 'Bearer' });
    expect(first.expires_in).toBeLessThanOrEqual(120);
    expect(claimsOf(first.access_token)).toMatchObject({
      sub: 'acme:alice',
      act: { sub: 'agent-a' },
      client_id: 'agent-a',
      aud: api,
      cnf: { jwk: keys.a.jwk },
    });
    const second = await exchange(running, 'agent-b', keys.b, first.access_token);
    const third = await exchange(running, 'agent-c', keys.c, second.access_token);
    expect(claimsOf(third.access_token)).toMatchObject({
      sub: 'acme:alice',
      act: { sub: 'agent-c', act: { sub: 'agent-b', act: { sub: 'agent-a' } } },
      scope: 'repo:read',
      cnf: { jwk: keys.c.jwk },
    });
    const ids = [first, second, third].map(({ access_token: token }) => claimsOf(token).jti);
    expect(new Set(ids).size).toBe(3);
    expect(claimsOf(third.access_token).exp).toBeLessThanOrEqual(claimsOf(first.access_token).exp ?? 0);
  });

  it('makes no scope below those of the token for an API that matches exactly [C6]', async () => {
    const { running, keys, user } = await world({ resources: [{ audience: api, scopeMatch: 'exact' }] });
    await running.authority.agents.update('agent-a', { capabilities: ['repo:read', 'repo:read:all', 'pr:write'] });
    const below = await exchange(running, 'agent-a', keys.a, user, { scope: 'repo:read:all' });
    expect(below).toMatchObject({ error: 'invalid_scope' });
    const same = await exchange(running, 'agent-a', keys.a, user);
    expect(claimsOf(same.access_token)).toMatchObject({ scope: 'pr:write repo:read', scope_match: 'exact' });
    const narrowed = await exchange(running, 'agent-a', keys.a, same.access_token, { scope: 'repo:read:all' });
    expect(narrowed).toMatchObject({ error: 'invalid_scope' });
    const own = await ownToken(running, 'agent-b', keys.b, { scope: 'repo:read' });
    expect(own).toMatchObject({ error: 'invalid_scope' });
  });

  it('says in the token how scopes were compared', async () => {
    const { running, keys, user } = await world();
    const { access_token: token } = await exchange(running, 'agent-a', keys.a, user, { scope: 'pr:write:draft' });
    expect(claimsOf(token)).toMatchObject({ scope: 'pr:write:draft', scope_match: 'hierarchical' });
  });

  it('lets an agent narrow its own token, without a new hop and without losing an actor [C9]', async () => {
    const { running, keys, user } = await world();
    const first = await exchange(running, 'agent-a', keys.a, user);
    const second = await exchange(running, 'agent-b', keys.b, first.access_token);
    const narrow = await exchange(running, 'agent-b', keys.b, second.access_token, { scope: 'repo:read' });
    expect(claimsOf(narrow.access_token)).toMatchObject({
      sub: 'acme:alice',
      act: { sub: 'agent-b', act: { sub: 'agent-a' } },
      scope: 'repo:read',
    });
    const own = await ownToken(running, 'agent-a', keys.a);
    const narrowed = await exchange(running, 'agent-a', keys.a, own.access_token, { scope: 'repo:read' });
    expect(claimsOf(narrowed.access_token)).toMatchObject({ sub: 'agent-a', scope: 'repo:read' });
    expect(claimsOf(narrowed.access_token)).not.toHaveProperty('act');
  });

  it("says of what is made from an agent's own token that no user stands behind it [C2, C9]", async () => {
    const { running, keys, user } = await world();
    const own = (await ownToken(running, 'agent-a', keys.a)).access_token;
    const second = await exchange(running, 'agent-b', keys.b, own);
    const third = await exchange(running, 'agent-c', keys.c, second.access_token);
    for (const { access_token: token } of [second, third]) {
      expect(claimsOf(token)).toMatchObject({ sub: 'agent-a', sub_profile: 'ai_agent' });
    }
    const ofUser = await exchange(running, 'agent-a', keys.a, user);
    expect(claimsOf(ofUser.access_token)).not.toHaveProperty('sub_profile');
  });

  it('refuses what no rule allows, whoever holds the token [C2, C6, C9]', async () => {
    const { running, keys, user } = await world();
    const first = await exchange(running, 'agent-a', keys.a, user);
    const own = await ownToken(running, 'agent-x', keys.x);
    for (const attempt of [
      exchange(running, 'agent-x', keys.x, user),
      exchange(running, 'agent-x', keys.x, first.access_token),
      exchange(running, 'agent-c', keys.c, first.access_token),
      exchange(running, 'agent-b', keys.b, own.access_token),
    ]) {
      expect(await attempt).toMatchObject({
        error: 'invalid_grant',
        error_description: expect.stringContaining('no rule') as unknown,
      });
    }
  });

  it('refuses to come back to an agent of the chain, and a chain that is too long [C1]', async () => {
    const loop = await world({ exchange: [...rules, { agents: ['agent-a'], from: ['agent-b'] }] });
    const a = await exchange(loop.running, 'agent-a', loop.keys.a, loop.user);
    const b = await exchange(loop.running, 'agent-b', loop.keys.b, a.access_token);
    expect(await exchange(loop.running, 'agent-a', loop.keys.a, b.access_token)).toMatchObject({
      error: 'invalid_grant',
      error_description: 'the agent is in the chain already',
    });
    const short = await world({ maxDelegationDepth: 1 });
    const one = await exchange(short.running, 'agent-a', short.keys.a, short.user);
    expect(await exchange(short.running, 'agent-b', short.keys.b, one.access_token)).toMatchObject({
      error: 'invalid_grant',
      error_description: 'a chain has at most 1 actors',
    });
  });

  it('refuses to take back what another agent made of a token of the agent itself [C3]', async () => {
    const { running, keys } = await world({ exchange: [...rules, { agents: ['agent-a'], from: ['agent-b'] }] });
    const own = await ownToken(running, 'agent-a', keys.a);
    const b = await exchange(running, 'agent-b', keys.b, own.access_token);
    expect(await exchange(running, 'agent-a', keys.a, b.access_token)).toMatchObject({
      error: 'invalid_grant',
      error_description: 'the agent is the subject of the chain',
    });
  });

  it.each([
    [{ scope: 'admin' }, 'invalid_scope'],
    [{ scope: 'repo' }, 'invalid_scope'],
    [{ scope: 'pr:write repo:write' }, 'invalid_scope'],
    [{ resource: 'https://evil.example' }, 'invalid_target'],
    [{ resource: api, audience: 'https://other.acme.dev' }, 'invalid_target'],
    [{ actor_token: 'x', actor_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
    [{ authorization_details: '[{"type":""}]' }, 'invalid_request'],
    [{ authorization_details: '{' }, 'invalid_request'],
  ])('refuses %j with %s [C6]', async (parameters, error) => {
    const { running, keys, user } = await world();
    expect((await exchange(running, 'agent-a', keys.a, user, parameters)).error).toBe(error);
  });

  it('refuses another audience and wider details than those of the token of an agent [C6]', async () => {
    const { running, keys, user } = await world();
    const details = JSON.stringify([{ type: 'Repo', identifier: 'acme/api' }]);
    const first = await exchange(running, 'agent-a', keys.a, user, {
      scope: 'repo:read',
      authorization_details: details,
    });
    expect(claimsOf(first.access_token)['authorization_details']).toEqual(JSON.parse(details));
    const same = await exchange(running, 'agent-b', keys.b, first.access_token);
    expect(claimsOf(same.access_token)['authorization_details']).toEqual(JSON.parse(details));
    for (const wider of [
      { resource: 'https://other.acme.dev' },
      { authorization_details: JSON.stringify([{ type: 'Repo' }]) },
      { authorization_details: JSON.stringify([{ type: 'Repo', identifier: 'acme/web' }]) },
    ]) {
      expect((await exchange(running, 'agent-b', keys.b, first.access_token, wider)).error).toBe('invalid_grant');
    }
  });

  it.each([
    ['of another audience', { aud: 'https://api.acme.dev' }, {}],
    ['of an unknown issuer', { iss: 'https://idp.acme.dev.evil' }, {}],
    ['that has expired', { exp: now() - 60 }, {}],
    ['without expiry', { exp: undefined }, {}],
    ['without subject', { sub: undefined }, {}],
    ['with an actor of its own', { act: { sub: 'other' } }, {}],
    ['that another agent may use', { may_act: { sub: 'agent-b' } }, {}],
    ['that an agent of another issuer may use', { may_act: { sub: 'agent-a', iss: 'https://other.acme.dev' } }, {}],
    ['with a malformed may_act', { may_act: 'agent-a' }, {}],
    ['whose status would have to be asked', { status: { status_list: { idx: 1, uri: 'https://idp.acme.dev/s' } } }, {}],
    ['of another type', {}, { typ: 'JWT' }],
    ['of an ID token', {}, { typ: 'id_token+jwt' }],
    ['with the members of an ID token', { at_hash: 'x' }, {}],
    ['that Keycloak marks as a refresh token', { typ: 'Refresh' }, {}],
    ['with the events of a logout token', { events: {} }, {}],
  ])('refuses an external token %s [B3, B4, B5, B6, C3]', async (_, claims, header) => {
    const { running, keys, privateKey } = await world();
    const token = await userToken(privateKey, claims, header);
    expect((await exchange(running, 'agent-a', keys.a, token)).error).toBe('invalid_grant');
  });

  it('refuses a token that the issuer did not sign, and one in the name of the authority [B1, B4]', async () => {
    const { running, keys } = await world();
    const other = generateKeyPairSync('ed25519').privateKey;
    for (const token of [await userToken(other), await userToken(other, { iss: running.issuer }), 'x.y.z', '']) {
      expect((await exchange(running, 'agent-a', keys.a, token)).error).toMatch(/^invalid_(?:grant|request)$/);
    }
  });

  it('refuses an external subject that has the name of an agent [C5]', async () => {
    const { running, keys, user } = await world();
    await running.authority.agents.add({ id: 'acme:alice', publicKey: newKey().publicKey });
    expect((await exchange(running, 'agent-a', keys.a, user)).error).toBe('invalid_grant');
  });

  it('answers 503 while the keys of the issuer cannot be fetched', async () => {
    const { running, keys, privateKey } = await world({
      externalIssuers: [
        { issuer: idp, audience: 'https://id.acme.dev', subjectNamespace: 'acme:', jwksUri: 'http://127.0.0.1:1/jwks' },
      ],
      onTrouble: () => {},
    });
    const response = await post(running, '/token', 'agent-a', keys.a, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await userToken(privateKey),
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect(response.status).toBe(503);
  });
});

const introspect = async (
  running: Awaited<ReturnType<typeof world>>['running'],
  agent: string,
  key: AgentKey,
  token: string,
) => (await (await post(running, '/introspect', agent, key, { token })).json()) as Record<string, unknown>;
const revoke = async (
  running: Awaited<ReturnType<typeof world>>['running'],
  agent: string,
  key: AgentKey,
  token: string,
) => (await post(running, '/revoke', agent, key, { token })).status;

describe('introspection and revocation', () => {
  it('shows a token to the agent that holds it and to its API, and to nobody else', async () => {
    const { running, keys, user } = await world({
      resources: [{ audience: api, introspectedBy: ['agent-c'] }],
    });
    const { access_token: token } = await exchange(running, 'agent-a', keys.a, user, { scope: 'repo:read' });
    const shown = {
      active: true,
      sub: 'acme:alice',
      client_id: 'agent-a',
      act: { sub: 'agent-a' },
      aud: api,
      scope: 'repo:read',
      cnf: { jkt: keys.a.thumbprint },
      token_type: 'Bearer',
    };
    expect(await introspect(running, 'agent-a', keys.a, token)).toMatchObject(shown);
    expect(await introspect(running, 'agent-c', keys.c, token)).toMatchObject(shown);
    expect(await introspect(running, 'agent-b', keys.b, token)).toEqual({ active: false });
    expect(await introspect(running, 'agent-a', keys.a, `${token.slice(0, -8)}AAAAAAAA`)).toEqual({ active: false });
    expect(await introspect(running, 'agent-a', keys.a, String(claimsOf(token).jti))).toEqual({ active: false });
  });

  it('ends everything below a revoked token, and nothing above or beside it [C7]', async () => {
    const { running, keys, user } = await world();
    const a = await exchange(running, 'agent-a', keys.a, user);
    const beside = await exchange(running, 'agent-a', keys.a, user);
    const b = await exchange(running, 'agent-b', keys.b, a.access_token);
    const c = await exchange(running, 'agent-c', keys.c, b.access_token);
    const active = async () =>
      await Promise.all(
        (
          [
            ['agent-a', keys.a, a],
            ['agent-a', keys.a, beside],
            ['agent-b', keys.b, b],
            ['agent-c', keys.c, c],
          ] as const
        ).map(
          async ([agent, key, { access_token: token }]) => (await introspect(running, agent, key, token))['active'],
        ),
      );
    expect(await active()).toEqual([true, true, true, true]);
    expect(await revoke(running, 'agent-x', keys.x, b.access_token)).toBe(200);
    expect(await active()).toEqual([true, true, true, true]);
    expect(await revoke(running, 'agent-b', keys.b, b.access_token)).toBe(200);
    expect(await active()).toEqual([true, true, false, false]);
    expect((await exchange(running, 'agent-c', keys.c, b.access_token)).error).toBe('invalid_grant');
    await running.authority.agents.setStatus('agent-a', 'suspended');
    expect((await exchange(running, 'agent-b', keys.b, a.access_token)).error).toBe('invalid_grant');
  });

  it('ends a token with the key that it is bound to, and what was made from it [C7]', async () => {
    const { running, keys, user } = await world();
    const a = await exchange(running, 'agent-a', keys.a, user);
    const b = await exchange(running, 'agent-b', keys.b, a.access_token);
    expect((await introspect(running, 'agent-b', keys.b, b.access_token))['active']).toBe(true);
    const next = newKey();
    await running.authority.agents.addKey('agent-a', { jwk: next.jwk }, { overlapSeconds: 600 });
    expect((await introspect(running, 'agent-b', keys.b, b.access_token))['active']).toBe(true);
    await running.authority.agents.revokeKey('agent-a', keys.a.thumbprint);
    expect((await introspect(running, 'agent-a', next, a.access_token))['active']).toBe(false);
    expect((await introspect(running, 'agent-b', keys.b, b.access_token))['active']).toBe(false);
  });

  it('ends all delegations of a subject', async () => {
    const { running, keys, user, privateKey } = await world();
    const alice = await exchange(running, 'agent-a', keys.a, user);
    const bob = await exchange(running, 'agent-a', keys.a, await userToken(privateKey, { sub: 'bob' }));
    expect((await running.authority.delegations.listOf('acme:alice')).map(({ actor }) => actor)).toEqual(['agent-a']);
    const response = await running.admin('POST', '/revocations', { subject: 'acme:alice' });
    expect(await response.json()).toEqual({ revoked: 1 });
    expect((await introspect(running, 'agent-a', keys.a, alice.access_token))['active']).toBe(false);
    expect((await introspect(running, 'agent-a', keys.a, bob.access_token))['active']).toBe(true);
  });
});
