import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAgent, type Signer } from '@countersign/agent';
import {
  agentsFromAuthority,
  cedarFromText,
  createGuard,
  memoryAudit,
  type Revocable,
  revocationsFromFile,
  type RevocationSource,
} from '@countersign/core';
import { agentAuth, permit } from '@countersign/node-http';
import { beginRedisRevocations, redisRevocations } from '@countersign/redis';
import { createClient } from 'redis';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../support/patiently.js';
import { findRedis, startRedis } from '../support/redis.js';
import { listen, newAgentKey, startAuthority } from './support.js';

const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;
const login = 'https://login.acme.dev';

/** alice's sign-in, exchanged by agent-a, whose token agent-b exchanged; and an API with a guard. */
async function world(revocations?: RevocationSource) {
  let handle: Parameters<typeof listen>[0] | undefined;
  const seen: string[] = [];
  const api = await listen((request, response) => {
    seen.push(String(request.headers.authorization).slice('Bearer '.length));
    return handle?.(request, response);
  });
  const { authority, issuer, idp } = await startAuthority({
    audience: api,
    exchange: [
      { agents: ['agent-a'], issuer: login },
      { agents: ['agent-b'], from: ['agent-a'] },
    ],
  });
  const join = async (id: string) => {
    const { key } = await newAgentKey();
    await authority.agents.add({ id, jwk: key.publicJwk, capabilities: ['repo:read'] });
    return { key, agent: await createAgent({ id, key, authority: issuer }) };
  };
  const [a, b] = [await join('agent-a'), await join('agent-b')];
  const audit = memoryAudit();
  const guard = await createGuard({
    origin: api,
    agents: await agentsFromAuthority(issuer, local),
    issuers: [{ issuer, ...local }],
    policy: await cedarFromText({ policies: 'permit (principal, action, resource);' }),
    audit,
    ...(revocations !== undefined && { revocations }),
  });
  onTestFinished(() => guard.close());
  const [auth, mayRead] = [agentAuth(guard), permit('repo.read', { type: 'Repo', id: 'acme/api' })];
  handle = async (request, response) => {
    if ((await auth(request, response)) && (await mayRead(request, response))) response.end('{}');
  };
  const call = async (agent: Signer): Promise<string> => {
    const response = await agent.fetch(api);
    return response.ok ? 'ok' : ((await response.json()) as { code: string }).code;
  };
  const forAlice = await a.agent.actFor(await idp.token('alice', 'repo:read', 0, 'sign-in-1'));
  expect(await call(forAlice)).toBe('ok');
  const first = seen.at(-1) ?? '';
  const names = { first: idOf(first), issuer, key: a.key.keyId };
  return { a, b, api, audit, guard, call, first, forAlice, names };
}

const idOf = (token: string) =>
  (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string }).jti;

type Names = Awaited<ReturnType<typeof world>>['names'];

describe('a guard that revokes what a token was exchanged from', () => {
  it.each<[string, (names: Names) => Revocable]>([
    ['its delegation', ({ first }) => ({ delegation: first })],
    ['its delegation, with the issuer', ({ first, issuer }) => ({ delegation: first, issuer })],
    ['the key of its agent', ({ key }) => ({ key })],
    ['the sign-in of the user', () => ({ delegation: 'sign-in-1', issuer: login })],
    ['the identity provider', () => ({ issuer: login })],
  ])('ends it, and what it is exchanged for again, by %s [C7]', async (_what, revoked) => {
    const { a, b, guard, call, first, forAlice, names } = await world();
    const exchanged = await b.agent.actFor(first);
    expect(await call(exchanged)).toBe('ok');
    guard.revocations.revoke(revoked(names));
    expect(await call(exchanged)).toBe('delegation_revoked');
    expect(await call(forAlice)).not.toBe('ok');
    // Its own agent needs no rule to exchange it.
    expect(await call(await a.agent.actFor(first))).not.toBe('ok');
    guard.revocations.restore(revoked(names));
    expect(await call(exchanged)).toBe('ok');
  });

  it('ends it by a file [C7]', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-ancestors-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'revocations.json');
    await writeFile(file, '{}');
    const { b, call, first, names } = await world(await revocationsFromFile(file));
    const exchanged = await b.agent.actFor(first);
    expect(await call(exchanged)).toBe('ok');
    await writeFile(file, JSON.stringify({ delegations: [{ delegation: names.first }] }));
    await vi.waitFor(async () => expect(await call(exchanged)).toBe('delegation_revoked'), patiently);
  });

  const redis = findRedis();
  it.skipIf(redis === undefined)('ends it by a shared store [C7]', async () => {
    const server = await startRedis(redis!);
    onTestFinished(() => server.stop());
    const client = createClient({ url: server.url, disableOfflineQueue: true });
    await client.connect();
    onTestFinished(() => client.destroy());
    await beginRedisRevocations(client);
    const shared = await redisRevocations(client);
    const { b, call, first, names } = await world(shared);
    const exchanged = await b.agent.actFor(first);
    expect(await call(exchanged)).toBe('ok');
    await shared.revoke({ delegation: names.first, issuer: names.issuer });
    await vi.waitFor(async () => expect(await call(exchanged)).toBe('delegation_revoked'), patiently);
  });
});

it('a record names what the token of the caller was exchanged from', async () => {
  const { b, audit, call, first, names } = await world();
  await call(await b.agent.actFor(first));
  const hops = audit.records.findLast(({ phase }) => phase === 'decision')?.chain;
  expect(hops?.map(({ id }) => id)).toEqual(['acme:alice', 'agent-a', 'agent-b']);
  expect(hops?.at(-1)?.ancestors).toEqual([
    { delegationId: names.first, keyId: names.key },
    { issuer: login, delegationId: 'sign-in-1' },
  ]);
});
