import { describe, expect, it } from 'vitest';
import { createInvitations } from '../../src/agents/invitations.js';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { openSqlite } from '../../src/storage/sqlite.js';
import { newKey } from '../support/client.js';
import { engines } from '../support/stores.js';

describe.each(engines)('the registry on $name', ({ skip, open }) => {
  async function registry(now = () => 1000) {
    return createAgentRegistry(await open(), now);
  }

  it.skipIf(skip)('keeps what it was told of an agent', async () => {
    const agents = await registry();
    const [one, two] = [newKey(), newKey()];
    const added = await agents.add({
      id: 'agent-a',
      owner: 'user:alice',
      capabilities: ['repo:read', 'repo:read'],
      roles: ['reviewer', { name: 'on-call', until: 2000 }],
      tags: ['team:a', 'beta'],
      expiresAt: 5000,
      name: 'Code reviewer',
      redirectUris: ['https://agent.example/cb', 'http://127.0.0.1:8080/cb'],
      keys: [{ publicKey: one.publicKey }, { jwk: two.jwk, notBefore: 1500, expiresAt: 3000 }],
    });
    expect(added).toEqual({
      id: 'agent-a',
      owner: 'user:alice',
      capabilities: ['repo:read'],
      roles: [{ name: 'reviewer' }, { name: 'on-call', until: 2000 }],
      tags: ['team:a', 'beta'],
      status: 'active',
      expiresAt: 5000,
      name: 'Code reviewer',
      redirectUris: ['https://agent.example/cb', 'http://127.0.0.1:8080/cb'],
      keys: expect.arrayContaining([
        { thumbprint: one.thumbprint, jwk: one.jwk },
        { thumbprint: two.thumbprint, jwk: two.jwk, notBefore: 1500, expiresAt: 3000 },
      ]) as unknown,
      createdAt: 1000,
    });
    expect(await agents.get('agent-a')).toEqual(added);
    expect(await agents.update('agent-a', { owner: 'user:bob' })).toEqual({ ...added, owner: 'user:bob' });
    expect(await agents.get('agent-b')).toBeUndefined();
  });

  it.skipIf(skip)('gives a key to one agent only, of 20 that ask at once [A11]', async () => {
    const agents = await registry();
    const { publicKey } = newKey();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => agents.add({ id: `agent-${index}`, publicKey })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await agents.list()).toHaveLength(1);
    await agents.add({ id: 'agent-x', publicKey: newKey().publicKey });
    await expect(agents.addKey('agent-x', { publicKey })).rejects.toMatchObject({ code: 'key_taken' });
    await expect(agents.add({ id: 'agent-x', publicKey: newKey().publicKey })).rejects.toMatchObject({
      code: 'agent_exists',
    });
  });

  it.skipIf(skip)('does not give a revoked key to anybody again [A11]', async () => {
    const agents = await registry();
    const key = newKey();
    await agents.add({ id: 'agent-a', publicKey: key.publicKey });
    expect((await agents.revokeKey('agent-a', key.thumbprint)).keys[0]?.expiresAt).toBe(1000);
    await expect(agents.add({ id: 'agent-b', publicKey: key.publicKey })).rejects.toMatchObject({ code: 'key_taken' });
  });

  it.skipIf(skip)('reads no key that ended more than an hour ago, and gives it to nobody', async () => {
    let at = 1000;
    const agents = await registry(() => at);
    const keys = Array.from({ length: 20 }, newKey);
    await agents.add({ id: 'agent-a', publicKey: newKey().publicKey });
    for (const { jwk } of keys) await agents.addKey('agent-a', { jwk }, { overlapSeconds: 0 });
    expect((await agents.get('agent-a'))?.keys).toHaveLength(21);
    at += 3600;
    const [last] = keys.slice(-1);
    expect((await agents.get('agent-a'))?.keys).toMatchObject([{ thumbprint: last?.thumbprint }]);
    expect((await agents.list()).map((agent) => agent.keys.length)).toEqual([1]);
    await expect(agents.addKey('agent-a', { jwk: keys[0]?.jwk ?? {} })).rejects.toMatchObject({ code: 'key_taken' });
  });

  it.skipIf(skip)('refuses a misspelt overlap, after which no other key would end [G5]', async () => {
    const agents = await registry();
    await agents.add({ id: 'agent-a', publicKey: newKey().publicKey });
    await expect(agents.addKey('agent-a', { jwk: newKey().jwk }, { overlap: 60 } as object)).rejects.toThrow(
      "unknown option 'overlap'",
    );
  });

  it.skipIf(skip)('ends the other keys after the overlap, and never later than they would end', async () => {
    const agents = await registry();
    const [short, long, next] = [newKey(), newKey(), newKey()];
    await agents.add({ id: 'agent-a', keys: [{ jwk: short.jwk, expiresAt: 1010 }, { jwk: long.jwk }] });
    const { keys } = await agents.addKey('agent-a', { jwk: next.jwk }, { overlapSeconds: 60 });
    expect(Object.fromEntries(keys.map(({ thumbprint, expiresAt }) => [thumbprint, expiresAt]))).toEqual({
      [short.thumbprint]: 1010,
      [long.thumbprint]: 1060,
      [next.thumbprint]: undefined,
    });
  });

  it.skipIf(skip)('changes all agents with a tag, except revoked ones, and no others', async () => {
    const agents = await registry();
    for (const [id, tags] of [
      ['a', ['red']],
      ['b', ['red', 'blue']],
      ['c', ['reddish']],
      ['d', ['red']],
    ] as const) {
      await agents.add({ id, tags, publicKey: newKey().publicKey });
    }
    await agents.setStatus('d', 'revoked');
    expect(await agents.setStatusByTag('red', 'suspended')).toEqual(['a', 'b']);
    expect((await agents.list({ status: 'suspended' })).map(({ id }) => id)).toEqual(['a', 'b']);
    expect((await agents.list({ tag: 'blue' })).map(({ id }) => id)).toEqual(['b']);
    expect(await agents.list({ tag: '%' })).toEqual([]);
  });

  it.skipIf(skip)('approves no pending agent when the suspension of its tag ends [C7]', async () => {
    const agents = await registry();
    await agents.add({ id: 'a', tags: ['red'], publicKey: newKey().publicKey, status: 'pending' });
    expect(await agents.setStatusByTag('red', 'suspended')).toEqual([]);
    expect(await agents.setStatusByTag('red', 'active')).toEqual([]);
    expect(await agents.get('a')).toMatchObject({ status: 'pending' });
    expect(await agents.setStatusByTag('red', 'revoked')).toEqual(['a']);
  });

  it.skipIf(skip)('lets an agent go on once nothing suspends it any more [C7]', async () => {
    const agents = await registry();
    for (const id of ['a', 'b', 'c']) await agents.add({ id, tags: ['red', 'blue'], publicKey: newKey().publicKey });
    const suspended = async () => (await agents.list({ status: 'suspended' })).map(({ id }) => id);
    await agents.setStatus('a', 'suspended');
    expect(await agents.setStatusByTag('red', 'suspended')).toEqual(['a', 'b', 'c']);
    await agents.setStatusByTag('red', 'suspended');
    await agents.setStatusByTag('blue', 'suspended');
    expect((await agents.get('a'))?.suspendedBy).toEqual(['id', 'tag red', 'tag blue']);
    expect(await agents.setStatusByTag('red', 'active')).toEqual([]);
    expect(await suspended()).toEqual(['a', 'b', 'c']);
    // Also after it has lost the tag.
    await agents.update('c', { tags: [] });
    expect(await agents.setStatusByTag('blue', 'active')).toEqual(['b', 'c']);
    expect(await suspended()).toEqual(['a']);
    await agents.setStatusByTag('red', 'suspended');
    // By its id, whatever suspended it.
    expect(await agents.setStatus('a', 'active')).not.toHaveProperty('suspendedBy');
    expect(await agents.setStatusByTag('red', 'active')).toEqual(['b']);
    expect(await suspended()).toEqual([]);
  });

  it.skipIf(skip)('lets at most 16 keys of an agent count, also when they are added at once', async () => {
    const agents = await registry();
    await agents.add({ id: 'agent-a', publicKey: newKey().publicKey });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => agents.addKey('agent-a', { publicKey: newKey().publicKey })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(15);
    expect((await agents.get('agent-a'))?.keys).toHaveLength(16);
  });
});

describe('the registry', () => {
  const key = newKey().publicKey;
  it.each([
    [{ id: 'with space', publicKey: key }],
    [{ id: '', publicKey: key }],
    [{ id: 'spiffe://example.org/ci/*', publicKey: key }],
    [{ id: 'a' }],
    [{ id: 'a', publicKey: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' }],
    [{ id: 'a', publicKey: key, jwk: {} }],
    [{ id: 'a', publicKey: key, status: 'revoked' }],
    [{ id: 'a', publicKey: key, capabilities: ['a b'] }],
    [{ id: 'a', publicKey: key, capabilities: 'repo:read' }],
    [{ id: 'a', publicKey: key, tags: ['a%'] }],
    [{ id: 'a', publicKey: key, roles: [{ name: 'x', until: 1_800_000_000_000 }] }],
    [{ id: 'a', publicKey: key, redirectUris: ['http://agent.example/cb'] }],
    [{ id: 'a', publicKey: key, redirectUris: ['https://agent.example/cb#x'] }],
    [{ id: 'a', publicKey: key, capabilites: [] }],
  ])('refuses to register %j [A8, A15]', async (agent) => {
    const agents = createAgentRegistry(await openSqlite(':memory:'), () => 1000);
    await expect(agents.add(agent as never)).rejects.toMatchObject({ code: 'agent_invalid' });
  });

  it('invites no agent whose id is a pattern [A8]', async () => {
    const invitations = createInvitations(await openSqlite(':memory:'), () => 1000);
    await expect(invitations.create({ id: 'spiffe://example.org/ci/*' })).rejects.toMatchObject({
      code: 'agent_invalid',
    });
  });
});
