import { decodeJwt } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type RunningAuthority, startAuthority } from '../support/authority.js';
import { type AgentKey, keyProof, newKey, ownToken, registration } from '../support/client.js';
import { engines } from '../support/stores.js';

const pinned = { id: 'agent-a', owner: 'user:alice', capabilities: ['repo:read'], tags: ['team:a'] };

async function invite({ admin }: RunningAuthority, agent: object = pinned): Promise<string> {
  const response = await admin('POST', '/invitations', agent);
  expect(response.status).toBe(201);
  return ((await response.json()) as { initial_access_token: string }).initial_access_token;
}

async function send(url: string, method: string, token: string, body?: object): Promise<Response> {
  return await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
}

interface Registered {
  readonly client_id: string;
  readonly scope: string;
  readonly registration_access_token: string;
  readonly registration_client_uri: string;
}

const metadata = async ({ issuer }: RunningAuthority, ...keys: AgentKey[]) =>
  await registration(issuer, 'agent-a', ...keys);

async function register(running: RunningAuthority, token: string, body: object): Promise<Registered> {
  const response = await send(`${running.issuer}/register`, 'POST', token, body);
  expect(response.status).toBe(201);
  return (await response.json()) as Registered;
}

describe('dynamic registration', () => {
  it('registers the agent of the invitation with the key of the request, and it gets tokens', async () => {
    const running = await startAuthority();
    const key = newKey();
    const registered = await register(running, await invite(running), await metadata(running, key));
    expect(registered).toMatchObject({
      client_id: 'agent-a',
      scope: 'repo:read',
      token_endpoint_auth_method: 'private_key_jwt',
      agent_owner: 'user:alice',
      registration_client_uri: `${running.issuer}/register/agent-a`,
    });
    expect(registered).not.toHaveProperty('client_secret');
    expect((await ownToken(running, 'agent-a', key)).scope).toBe('repo:read');
  });

  it('keeps what the invitation pins, whatever the agent asks for, now and later', async () => {
    const running = await startAuthority();
    const [key, next] = [newKey(), newKey()];
    const greedy = {
      client_id: 'agent-a',
      scope: 'repo admin',
      agent_owner: 'user:eve',
      agent_status: 'active',
      grant_types: ['password'],
      redirect_uris: ['https://evil.example/cb'],
      capabilities: ['admin'],
      token_endpoint_auth_method: 'none',
    };
    const registered = await register(running, await invite(running), { ...greedy, ...(await metadata(running, key)) });
    const before = await running.authority.agents.get('agent-a');
    expect(before).toMatchObject({ ...pinned, redirectUris: [] });
    const { registration_client_uri: uri, registration_access_token: token } = registered;
    const changed = await send(uri, 'PUT', token, { ...greedy, ...(await metadata(running, next)) });
    expect(changed.status).toBe(200);
    expect(await running.authority.agents.get('agent-a')).toEqual({ ...before, keys: expect.anything() as unknown });
    expect(((await changed.json()) as Registered).scope).toBe('repo:read');
  });

  it.each(engines.filter(({ skip }) => !skip))(
    'uses an invitation up when 50 registrations come at once, on $name [A10]',
    async ({ open }) => {
      const running = await startAuthority({ store: await open() });
      const token = await invite(running);
      const statuses = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const response = await send(`${running.issuer}/register`, 'POST', token, await metadata(running, newKey()));
          return response.status;
        }),
      );
      expect(statuses.filter((status) => status === 201)).toHaveLength(1);
      expect(statuses.filter((status) => status === 401)).toHaveLength(49);
      expect((await running.authority.agents.get('agent-a'))?.keys).toHaveLength(1);
    },
  );

  it('leaves the invitation valid when the registration is refused', async () => {
    const running = await startAuthority();
    const token = await invite(running);
    const taken = newKey();
    await running.authority.agents.add({ id: 'agent-b', publicKey: taken.publicKey });
    const url = `${running.issuer}/register`;
    expect((await send(url, 'POST', token, await metadata(running, taken))).status).toBe(409);
    const withSecret = { jwks: { keys: [{ ...newKey().jwk, d: 'AAAA' }] } };
    expect((await send(url, 'POST', token, withSecret)).status).toBe(400);
    expect((await send(url, 'POST', token, { jwks: { keys: [] } })).status).toBe(400);
    expect((await send(url, 'POST', token, await metadata(running, newKey()))).status).toBe(201);
  });

  it('registers no key whose private half the sender does not hold [A11]', async () => {
    const running = await startAuthority();
    const { issuer } = running;
    const token = await invite(running);
    const [key, foreign, next] = [newKey(), newKey(), newKey()];
    const jwks = { keys: [{ ...foreign.jwk }] };
    const now = Math.floor(Date.now() / 1000);
    const forged = (options: Parameters<typeof keyProof>[3], agent = 'agent-a', signer = foreign) =>
      keyProof(issuer, agent, { ...foreign, privateKey: signer.privateKey }, options);
    const proofs = [
      undefined,
      'x',
      [],
      [1],
      ['x'],
      [await forged({}, 'agent-a', key)],
      [await keyProof(issuer, 'agent-a', key)],
      [await forged({}, 'agent-b')],
      [await forged({ header: { typ: 'JWT' } })],
      [await forged({ header: { kid: 'x' } })],
      [await forged({ claims: { aud: issuer } })],
      [await forged({ claims: { aud: [`${issuer}/register`] } })],
      [await forged({ claims: { exp: now - 6 } })],
      [await forged({ claims: { exp: now + 400 } })],
      [await forged({ claims: { exp: undefined } })],
      Array.from(
        { length: 9 },
        await (
          async (proof) => () =>
            proof
        )(await forged({})),
      ),
    ];
    for (const [index, given] of proofs.entries()) {
      const response = await send(`${issuer}/register`, 'POST', token, { jwks, key_proofs: given });
      expect([index, response.status]).toEqual([index, 400]);
      expect(await response.json()).toMatchObject({ error: 'invalid_client_metadata' });
    }
    const registered = await register(running, token, await metadata(running, key));
    const put = async (body: object) =>
      (
        await send(registered.registration_client_uri, 'PUT', registered.registration_access_token, {
          client_id: 'agent-a',
          ...body,
        })
      ).status;
    expect(await put({ jwks, key_proofs: [await keyProof(issuer, 'agent-a', key)] })).toBe(400);
    // Of the key that the agent has already it proved that before.
    const both = { keys: [key.jwk, next.jwk] };
    expect(await put({ jwks: both, key_proofs: [await keyProof(issuer, 'agent-a', next)] })).toBe(200);
  });

  it('refuses a registration without an invitation, or with another token', async () => {
    const running = await startAuthority();
    const url = `${running.issuer}/register`;
    const body = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(await metadata(running, newKey())),
    };
    expect((await fetch(url, body)).status).toBe(401);
    expect((await send(url, 'POST', 'AAAA', await metadata(running, newKey()))).status).toBe(401);
  });

  it.each(engines)('replaces keys and its token with each change: of 50 at once one, on $name', async (engine) => {
    if (engine.skip) return;
    const running = await startAuthority({ store: await engine.open() });
    const old = newKey();
    const { registration_client_uri: uri, ...first } = await register(
      running,
      await invite(running),
      await metadata(running, old),
    );
    const token = first.registration_access_token;
    const put = async (key: AgentKey) =>
      await send(uri, 'PUT', token, { client_id: 'agent-a', ...(await metadata(running, key)) });
    const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await put(newKey())).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect((await send(uri, 'GET', token)).status).toBe(401);
    const { keys = [] } = (await running.authority.agents.get('agent-a')) ?? {};
    expect(keys.filter(({ expiresAt }) => expiresAt === undefined)).toHaveLength(1);
    expect(keys.find(({ thumbprint }) => thumbprint === old.thumbprint)?.expiresAt).toBeDefined();
  });

  it('lets no agent manage another, nor take its key [A11]', async () => {
    const running = await startAuthority();
    const [a, b] = [newKey(), newKey()];
    const one = await register(running, await invite(running), await metadata(running, a));
    const two = await register(
      running,
      await invite(running, { ...pinned, id: 'agent-b' }),
      await registration(running.issuer, 'agent-b', b),
    );
    const { registration_access_token: token } = one;
    const body = { client_id: 'agent-b', ...(await metadata(running, newKey())) };
    for (const [method, sent] of [['GET'], ['PUT', body], ['DELETE']] as const)
      expect((await send(two.registration_client_uri, method, token, sent)).status).toBe(401);
    expect((await fetch(`${one.registration_client_uri}?access_token=${token}`)).status).toBe(401);
    const put = async (changes: object) =>
      (await send(one.registration_client_uri, 'PUT', token, { client_id: 'agent-a', ...changes })).status;
    expect(await put(body)).toBe(400);
    expect(await put(await metadata(running, newKey(), b))).toBe(409);
    const { keys } = (await running.authority.agents.get('agent-a')) ?? {};
    expect(keys).toMatchObject([{ thumbprint: a.thumbprint }]);
    expect(keys?.[0]).not.toHaveProperty('expiresAt');
    // The refusals have changed nothing, so the token of management still counts.
    expect(await put(await metadata(running, newKey()))).toBe(200);
  });

  it('makes a new version of the published directory with each change', async () => {
    const running = await startAuthority();
    const version = async () =>
      decodeJwt<{ version: number }>(await (await fetch(`${running.issuer}/agents.jwt`)).text()).version;
    const versions = [await version()];
    const { registration_client_uri: uri, registration_access_token: token } = await register(
      running,
      await invite(running),
      await metadata(running, newKey()),
    );
    versions.push(await version());
    const changed = await send(uri, 'PUT', token, { client_id: 'agent-a', ...(await metadata(running, newKey())) });
    versions.push(await version());
    const { registration_access_token: next } = (await changed.json()) as Registered;
    expect((await send(uri, 'DELETE', next)).status).toBe(204);
    versions.push(await version());
    expect(versions).toEqual([...new Set(versions)].toSorted((one, other) => one - other));
  });

  it('keeps the keys of a suspended agent', async () => {
    const running = await startAuthority();
    const key = newKey();
    const registered = await register(running, await invite(running), await metadata(running, key));
    const { registration_client_uri: uri, registration_access_token: token } = registered;
    await running.authority.agents.setStatus('agent-a', 'suspended');
    const put = async () =>
      (await send(uri, 'PUT', token, { client_id: 'agent-a', ...(await metadata(running, newKey())) })).status;
    expect(await put()).toBe(403);
    await running.authority.agents.setStatus('agent-a', 'active');
    expect((await running.authority.agents.get('agent-a'))?.keys).toHaveLength(1);
    expect(await put()).toBe(200);
  });

  it.each(engines)(
    'ends its token when an administrator changes keys, also at that moment, on $name',
    async (engine) => {
      if (engine.skip) return;
      const running = await startAuthority({ store: await engine.open() });
      const { agents } = running.authority;
      const stolen = await register(running, await invite(running), await metadata(running, newKey()));
      const { registration_client_uri: uri, registration_access_token: token } = stolen;
      const put = async () =>
        (await send(uri, 'PUT', token, { client_id: 'agent-a', ...(await metadata(running, newKey())) })).status;
      const key = newKey();
      const [, ...statuses] = await Promise.all([
        agents.addKey('agent-a', { jwk: key.jwk }, { overlapSeconds: 0 }),
        ...Array.from({ length: 10 }, put),
      ]);
      expect(statuses.filter((status) => ![200, 401, 409].includes(status))).toEqual([]);
      const { keys = [] } = (await agents.get('agent-a')) ?? {};
      expect(keys.filter(({ expiresAt }) => expiresAt === undefined)).toMatchObject([{ thumbprint: key.thumbprint }]);
      expect(await put()).toBe(401);

      const old = newKey();
      const other = await register(
        running,
        await invite(running, { ...pinned, id: 'agent-b' }),
        await registration(running.issuer, 'agent-b', old),
      );
      await agents.revokeKey('agent-b', old.thumbprint);
      expect((await send(other.registration_client_uri, 'GET', other.registration_access_token)).status).toBe(401);
    },
  );

  it.each(engines)('lets an agent register 32 keys in an hour, on $name', async (engine) => {
    if (engine.skip) return;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const running = await startAuthority({ store: await engine.open() });
    const eight = async () => await metadata(running, ...Array.from({ length: 8 }, newKey));
    const registered = await register(running, await invite(running), await eight());
    const { registration_client_uri: uri } = registered;
    let token = registered.registration_access_token;
    const put = async (keys: object) => {
      const response = await send(uri, 'PUT', token, { client_id: 'agent-a', ...keys });
      const body = (await response.json()) as Partial<Registered> & { readonly error?: string };
      token = body.registration_access_token ?? token;
      return [response.status, body.error];
    };
    for (let count = 0; count < 3; count++) expect(await put(await eight())).toEqual([200, undefined]);
    const version = async () => (await (await fetch(`${running.issuer}/agents.jwt`)).text()).split('.', 2)[1];
    const before = await version();
    expect(await put(await metadata(running, newKey()))).toEqual([429, 'keys_full']);
    const same = (await running.authority.agents.get('agent-a'))?.keys.filter((key) => key.expiresAt === undefined);
    expect(await put({ jwks: { keys: same?.map(({ jwk }) => jwk) } })).toEqual([200, undefined]);
    expect(await version()).toBe(before);
    vi.setSystemTime(Date.now() + 3_601_000);
    expect(await put(await metadata(running, newKey()))).toEqual([200, undefined]);
  });

  it('keeps the keys of an agent whose time is over', async () => {
    const running = await startAuthority();
    const registered = await register(running, await invite(running), await metadata(running, newKey()));
    const { registration_client_uri: uri, registration_access_token: token } = registered;
    await running.authority.agents.update('agent-a', { expiresAt: Math.floor(Date.now() / 1000) - 1 });
    expect(
      (await send(uri, 'PUT', token, { client_id: 'agent-a', ...(await metadata(running, newKey())) })).status,
    ).toBe(403);
  });

  it('revokes the agent when it deletes itself', async () => {
    const running = await startAuthority();
    const { registration_client_uri: uri, registration_access_token: token } = await register(
      running,
      await invite(running),
      await metadata(running, newKey()),
    );
    expect((await send(uri, 'GET', token)).status).toBe(200);
    expect((await send(uri, 'DELETE', token)).status).toBe(204);
    expect((await running.authority.agents.get('agent-a'))?.status).toBe('revoked');
    expect((await send(uri, 'GET', token)).status).toBe(401);
  });

  it('does not register with an invitation that an administrator removed [C7]', async () => {
    const running = await startAuthority();
    const tokens = [await invite(running), await invite(running), await invite(running, { id: 'agent-b' })];
    const listed = await (await running.admin('GET', '/invitations')).json();
    expect(listed).toMatchObject({
      invitations: [
        { agent: { ...pinned, status: 'active' } },
        { agent: { id: 'agent-a' } },
        { agent: { id: 'agent-b' } },
      ],
    });
    for (const token of tokens) expect(JSON.stringify(listed)).not.toContain(token);
    expect(await (await running.admin('DELETE', '/invitations/agent-a')).json()).toEqual({ removed: 2 });
    expect((await running.admin('DELETE', '/invitations/agent-a')).status).toBe(404);
    for (const token of tokens.slice(0, 2)) {
      expect((await send(`${running.issuer}/register`, 'POST', token, await metadata(running, newKey()))).status).toBe(
        401,
      );
    }
    expect(await running.authority.invitations.list()).toMatchObject([{ agent: { id: 'agent-b' } }]);
  });

  it.each(['suspended', 'revoked'] as const)(
    'does not register with an invitation whose tag or id was %s [C7]',
    async (status) => {
      const running = await startAuthority();
      const { agents, invitations } = running.authority;
      await invitations.create({ id: 'agent-b', tags: ['team:b'] });
      const token = await invite(running);
      await agents.setStatusByTag('team:a', 'active');
      expect(await invitations.list()).toHaveLength(2);
      await agents.setStatusByTag('team:a', status);
      expect((await send(`${running.issuer}/register`, 'POST', token, await metadata(running, newKey()))).status).toBe(
        401,
      );
      expect(await invitations.list()).toMatchObject([{ agent: { id: 'agent-b' } }]);
      const ended = await running.admin('PATCH', '/agents/agent-b', { status });
      expect([ended.status, await ended.json()]).toMatchObject([404, { error: 'agent_unknown' }]);
      expect(await invitations.list()).toEqual([]);
    },
  );

  it.each(engines)(
    'lets no agent in that registers while its tag or id is suspended, on $name [C7]',
    async (engine) => {
      if (engine.skip) return;
      const running = await startAuthority({ store: await engine.open() });
      const { agents, invitations } = running.authority;
      const suspend = (id: string, byTag: boolean) =>
        byTag ? agents.setStatusByTag('team:a', 'suspended') : agents.setStatus(id, 'suspended').catch(() => {});
      for (let round = 0; round < 20; round++) {
        const id = `agent-${round}`;
        const { initial_access_token: token } = await invitations.create({ ...pinned, id });
        const body = await registration(running.issuer, id, newKey());
        const [registered] = await Promise.all([
          send(`${running.issuer}/register`, 'POST', token, body),
          suspend(id, round % 2 === 0),
        ]);
        const status = (await agents.get(id))?.status;
        expect([registered.status, status]).toEqual(registered.status === 201 ? [201, 'suspended'] : [401, undefined]);
        expect(await invitations.list()).toEqual([]);
      }
    },
  );

  it('lets a pending agent in only once it is activated', async () => {
    const running = await startAuthority();
    const key = newKey();
    await register(running, await invite(running, { ...pinned, status: 'pending' }), await metadata(running, key));
    expect((await ownToken(running, 'agent-a', key)).error).toBe('invalid_client');
    expect((await running.admin('PATCH', '/agents/agent-a', { status: 'active' })).status).toBe(200);
    expect((await ownToken(running, 'agent-a', key)).scope).toBe('repo:read');
  });
});
