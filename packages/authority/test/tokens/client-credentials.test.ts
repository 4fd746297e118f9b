import { randomUUID } from 'node:crypto';
import { decodeProtectedHeader, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { api, startAuthority } from '../support/authority.js';
import { assertion, claimsOf, newKey, ownToken, post, type TokenAnswer } from '../support/client.js';
import { engines } from '../support/stores.js';

const capabilities = ['repo:read', 'pr:write'];

async function withAgent(options: Parameters<typeof startAuthority>[0] = {}) {
  const running = await startAuthority(options);
  const key = newKey();
  await running.authority.agents.add({ id: 'agent-a', publicKey: key.publicKey, capabilities });
  return { running, key };
}

async function refusal(response: Response): Promise<readonly [number, string | undefined]> {
  return [response.status, ((await response.json()) as TokenAnswer).error];
}

const now = () => Math.floor(Date.now() / 1000);
const grant = { grant_type: 'client_credentials' };

describe('client_credentials', () => {
  it.each(['EdDSA', 'Ed25519'] as const)(
    'gives an access token bound to the registered key when the assertion is %s',
    async (alg) => {
      const { running, key } = await withAgent();
      const response = await post(running, '/token', 'agent-a', key, { ...grant, scope: 'pr:write:draft' }, { alg });
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('no-store');
      const token = (await response.json()) as TokenAnswer;
      expect(token).toMatchObject({ token_type: 'Bearer', expires_in: 300, scope: 'pr:write:draft' });
      expect(decodeProtectedHeader(token.access_token)).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' });
      expect(claimsOf(token.access_token)).toMatchObject({
        iss: running.issuer,
        sub: 'agent-a',
        client_id: 'agent-a',
        aud: api,
        scope: 'pr:write:draft',
        cnf: { jwk: key.jwk },
        status: { status_list: { uri: `${running.issuer}/status/0` } },
      });
      expect(claimsOf(token.access_token)).not.toHaveProperty('act');
    },
  );

  it('grants all that the agent has at the API when no scope is asked for', async () => {
    const { running, key } = await withAgent();
    expect((await ownToken(running, 'agent-a', key)).scope).toBe('pr:write repo:read');
    expect((await ownToken(running, 'agent-a', key, { resource: 'https://other.acme.dev' })).scope).toBe('repo:read');
  });

  it.each([
    [{ scope: 'pr' }, 'invalid_scope'],
    [{ scope: 'pr:writer' }, 'invalid_scope'],
    [{ scope: 'repo:read  pr:write' }, 'invalid_scope'],
    [{ resource: 'https://other.acme.dev', scope: 'pr:write' }, 'invalid_scope'],
    [{ resource: 'https://api.acme.dev/' }, 'invalid_target'],
    [{ resource: 'https://evil.example' }, 'invalid_target'],
    [{ grant_type: 'password' }, 'unsupported_grant_type'],
  ])('refuses %j with %s [B5, C6]', async (parameters, code) => {
    const { running, key } = await withAgent();
    expect(await refusal(await post(running, '/token', 'agent-a', key, { ...grant, ...parameters }))).toEqual([
      400,
      code,
    ]);
  });

  it.each([
    ['for the token endpoint', (issuer: string) => ({ aud: `${issuer}/token` })],
    ['for several audiences', (issuer: string) => ({ aud: [issuer, 'https://evil.example'] })],
    ['of ten years', () => ({ exp: now() + 315_360_000 })],
    ['that has expired', () => ({ exp: now() - 60 })],
    ['of the future', () => ({ iat: now() + 60 })],
    ['of another issuer', () => ({ iss: 'agent-b' })],
  ])('refuses an assertion %s [B4, B5, B6]', async (_, claims) => {
    const { running, key } = await withAgent();
    const response = await post(running, '/token', 'agent-a', key, grant, { claims: claims(running.issuer) });
    expect(await refusal(response)).toEqual([401, 'invalid_client']);
  });

  it('refuses an assertion of another key, and of an unknown agent, alike [A11]', async () => {
    const { running, key } = await withAgent();
    expect(await refusal(await post(running, '/token', 'agent-a', newKey(), grant))).toEqual([401, 'invalid_client']);
    expect(await refusal(await post(running, '/token', 'agent-x', key, grant))).toEqual([401, 'invalid_client']);
  });

  it('refuses an agent at once when it is suspended, revoked or expired [C7]', async () => {
    const { running, key } = await withAgent();
    const { agents } = running.authority;
    const ask = async () => (await post(running, '/token', 'agent-a', key, grant)).status;
    await agents.setStatus('agent-a', 'suspended');
    expect(await ask()).toBe(401);
    await agents.setStatus('agent-a', 'active');
    expect(await ask()).toBe(200);
    await agents.update('agent-a', { expiresAt: now() });
    expect(await ask()).toBe(401);
    await agents.update('agent-a', { expiresAt: now() + 100 });
    expect(await ask()).toBe(200);
    await agents.setStatus('agent-a', 'revoked');
    expect(await ask()).toBe(401);
    await expect(agents.setStatus('agent-a', 'active')).rejects.toMatchObject({ code: 'status_conflict' });
  });

  it('accepts both keys during the overlap of a rotation, and then the new one only [C7]', async () => {
    const { running, key: old } = await withAgent();
    const next = newKey();
    await running.authority.agents.addKey('agent-a', { publicKey: next.publicKey }, { overlapSeconds: 600 });
    const bound = async (key: typeof old) => claimsOf((await ownToken(running, 'agent-a', key)).access_token)['cnf'];
    expect(await bound(old)).toEqual({ jwk: old.jwk });
    expect(await bound(next)).toEqual({ jwk: next.jwk });
    await running.authority.agents.revokeKey('agent-a', old.thumbprint);
    expect((await post(running, '/token', 'agent-a', old, grant)).status).toBe(401);
    expect(await bound(next)).toEqual({ jwk: next.jwk });
  });

  it.each(engines.filter(({ skip }) => !skip))(
    'accepts an assertion once when it comes 50 times at once, on $name [A10]',
    async ({ open }) => {
      const { running, key } = await withAgent({ store: await open() });
      const once = await assertion(running.issuer, 'agent-a', key);
      const answers = await Promise.all(
        Array.from(
          { length: 50 },
          async () => (await post(running, '/token', 'agent-a', key, grant, { assertion: once })).status,
        ),
      );
      expect(answers.filter((status) => status === 200)).toHaveLength(1);
      expect(answers.filter((status) => status === 401)).toHaveLength(49);
    },
  );

  it.each(engines.filter(({ skip }) => !skip))(
    'accepts a DPoP proof once when it comes 50 times at once, each with an assertion of its own, on $name [B9]',
    async ({ open }) => {
      const { running, key } = await withAgent({ store: await open() });
      const proof = await new SignJWT({ htm: 'POST', htu: `${running.issuer}/token`, jti: randomUUID() })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'dpop+jwt', jwk: { ...key.jwk } })
        .setIssuedAt()
        .sign(key.privateKey);
      const headers = { dpop: proof };
      const answers = await Promise.all(
        Array.from({ length: 50 }, async () => await post(running, '/token', 'agent-a', key, grant, { headers })),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      expect(await won[0]?.json()).toMatchObject({ token_type: 'DPoP' });
      expect(answers.filter(({ status }) => status === 400)).toHaveLength(49);
    },
  );

  it('answers 503, and issues nothing, when the database is down', async () => {
    const { running, key } = await withAgent();
    await running.store.close();
    expect((await post(running, '/token', 'agent-a', key, grant)).status).toBe(503);
    expect((await fetch(`${running.issuer}/agents.jwt`)).status).toBe(503);
  });
});
