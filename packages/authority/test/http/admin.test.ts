import { describe, expect, it } from 'vitest';
import { adminToken, startAuthority } from '../support/authority.js';
import { claimsOf, newKey, ownToken } from '../support/client.js';

async function json(response: Response): Promise<unknown> {
  return await response.json();
}

describe('the admin API', () => {
  it('registers, lists, changes and revokes agents', async () => {
    const { admin } = await startAuthority();
    const [key, next] = [newKey(), newKey()];
    const added = await admin('POST', '/agents', { id: 'agent/a', publicKey: key.publicKey, tags: ['red'] });
    expect([added.status, await json(added)]).toMatchObject([201, { id: 'agent/a', status: 'active' }]);
    const path = `/agents/${encodeURIComponent('agent/a')}`;
    expect(await json(await admin('GET', path))).toMatchObject({ id: 'agent/a', tags: ['red'] });
    expect(await json(await admin('GET', '/agents?tag=red&status=active'))).toMatchObject({
      agents: [{ id: 'agent/a' }],
    });
    expect(await json(await admin('GET', '/agents?tag=blue'))).toEqual({ agents: [], stops: [] });
    expect(await json(await admin('PATCH', path, { owner: 'user:alice', capabilities: ['repo:read'] }))).toMatchObject({
      owner: 'user:alice',
      capabilities: ['repo:read'],
      tags: ['red'],
    });
    expect(await json(await admin('PATCH', path, { owner: null }))).not.toHaveProperty('owner');
    const rotated = await admin('POST', `${path}/keys`, { jwk: next.jwk, overlapSeconds: 60 });
    expect([rotated.status, await json(rotated)]).toMatchObject([201, { keys: [{}, {}] }]);
    expect((await admin('DELETE', `${path}/keys/${key.thumbprint}`)).status).toBe(200);
    expect(await json(await admin('PATCH', '/agents', { tag: 'red', status: 'suspended' }))).toEqual({
      changed: ['agent/a'],
    });
    expect(await json(await admin('PATCH', path, { status: 'revoked' }))).toMatchObject({ status: 'revoked' });
    expect((await admin('PATCH', path, { status: 'active' })).status).toBe(409);
  });

  it('keeps changes of different facts that come at once', async () => {
    const { admin, authority } = await startAuthority();
    await authority.agents.add({ id: 'a', publicKey: newKey().publicKey });
    await Promise.all([
      admin('PATCH', '/agents/a', { owner: 'user:alice' }),
      admin('PATCH', '/agents/a', { name: 'Agent A' }),
      admin('PATCH', '/agents/a', { roles: ['reviewer'] }),
      admin('PATCH', '/agents/a', { redirectUris: ['https://a.example/cb'] }),
    ]);
    expect(await authority.agents.get('a')).toMatchObject({
      owner: 'user:alice',
      name: 'Agent A',
      roles: [{ name: 'reviewer' }],
      redirectUris: ['https://a.example/cb'],
    });
  });

  it.each([
    ['GET', '/agents/nobody', undefined, 404],
    ['PATCH', '/agents/nobody', { status: 'active' }, 404],
    ['POST', '/agents', { id: 'a' }, 400],
    ['POST', '/agents', [], 400],
    ['PATCH', '/agents/a', { status: 'active', owner: 'x' }, 400],
    ['PATCH', '/agents/a', { status: 'gone' }, 400],
    ['PATCH', '/agents/a', { onwer: 'x' }, 400],
    ['PATCH', '/agents/a', { __proto__x: 1 }, 400],
    ['PATCH', '/agents', { tag: 'a%', status: 'active' }, 400],
    ['PATCH', '/agents', { status: 'suspended' }, 400],
    ['PATCH', '/agents', { tag: 7, status: 'suspended' }, 400],
    ['PATCH', '/agents', { pattern: 'ci/*', status: 'suspended' }, 400],
    ['PATCH', '/agents', { pattern: 'spiffe://example.org/ci/*', status: 'suspended' }, 404],
    ['PATCH', '/agents', { tag: 'ci', pattern: 'spiffe://example.org/ci/*', status: 'suspended' }, 400],
    ['POST', '/agents/a/keys', { publicKey: 'AAAA' }, 400],
    ['POST', '/agents/a/keys', { publicKey: newKey().publicKey, overlapSeconds: -1 }, 400],
    ['POST', '/agents/nobody/keys', { publicKey: newKey().publicKey }, 404],
    ['POST', '/revocations', { subject: 'a', actor: 'b' }, 400],
    ['POST', '/revocations', { everything: 'a' }, 400],
    ['POST', '/invitations', { owner: 'x' }, 400],
    ['POST', '/invitations', { id: 'b', ttlSeconds: 1 }, 400],
    ['GET', '/agents/%', undefined, 400],
    ['GET', '/elsewhere', undefined, 404],
    ['PUT', '/agents/a', {}, 404],
  ])('answers %s %s %j with %i', async (method, path, body, status) => {
    const { admin, authority } = await startAuthority();
    await authority.agents.add({ id: 'a', publicKey: newKey().publicKey });
    expect((await admin(method, path, body)).status).toBe(status);
  });

  it('refuses every request without a token of an administrator, and does not exist without such tokens', async () => {
    const { issuer } = await startAuthority();
    const ask = async (authorization?: string) =>
      (await fetch(`${issuer}/admin/agents`, { headers: authorization === undefined ? {} : { authorization } })).status;
    expect(await ask()).toBe(401);
    expect(await ask('Bearer ')).toBe(401);
    expect(await ask(`Basic ${adminToken}`)).toBe(401);
    expect(await ask(`Bearer ${adminToken}x`)).toBe(401);
    expect(await ask(`Bearer ${adminToken}`)).toBe(200);
    const closed = await startAuthority({ adminTokens: [] });
    const answer = await fetch(`${closed.issuer}/admin/agents`, { headers: { authorization: `Bearer ${adminToken}` } });
    expect(answer.status).toBe(404);
  });

  it('makes the next signing key, which is published before it signs', async () => {
    const running = await startAuthority();
    const key = newKey();
    await running.authority.agents.add({ id: 'a', publicKey: key.publicKey, capabilities: ['repo:read'] });
    const kids = async () =>
      ((await json(await fetch(`${running.issuer}/jwks`))) as { keys: { kid: string; alg?: string }[] }).keys;
    const [before] = await kids();
    expect((await running.admin('POST', '/signing-keys')).status).toBe(204);
    expect((await running.admin('POST', '/signing-keys')).status).toBe(204);
    const after = await kids();
    expect(after).toHaveLength(2);
    expect(after[0]).toEqual(before);
    expect(after.every(({ alg }) => alg === undefined)).toBe(true);
    const { access_token: token } = await ownToken(running, 'a', key);
    expect(claimsOf(token).sub).toBe('a');
  });
});
