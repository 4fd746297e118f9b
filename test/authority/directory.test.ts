import { setTimeout as wait } from 'node:timers/promises';
import { type Agent, createAgent, type Signer } from '@countersign/agent';
import type { Authority } from '@countersign/authority';
import { agentsFromAuthority, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, permit } from '@countersign/node-http';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../support/patiently.js';
import { listen, newAgentKey, startAuthority } from './support.js';

/** Of the test, which may set it ahead: what is created before that would keep the function of the real one. */
const clock = () => Date.now();
const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;

async function world(path = '') {
  let handle: Parameters<typeof listen>[0] | undefined;
  const api = await listen((request, response) => handle?.(request, response));
  const { issuer, authority } = await startAuthority({ audience: api, path });
  const guard = await createGuard({
    origin: api,
    agents: await agentsFromAuthority(issuer, { maxAgeSeconds: 1, clock, ...local }),
    policy: await cedarFromText({
      policies: 'permit (principal, action, resource) when { context.scope.contains("repo:read") };',
    }),
    audit: memoryAudit(),
    clock,
  });
  onTestFinished(() => guard.close());
  const auth = agentAuth(guard);
  const mayRead = permit('repo.read', { type: 'Repo', id: 'acme/api' });
  handle = async (request, response) => {
    if ((await auth(request, response)) && (await mayRead(request, response))) response.end();
  };
  /** What an agent is answered: the status, and the code of a refusal. */
  const answerTo = async (agent: Signer): Promise<string> => {
    const response = await agent.fetch(`${api}/`);
    const text = await response.text();
    return response.ok ? '200' : `${response.status} ${(JSON.parse(text) as { code: string }).code}`;
  };
  return { issuer, authority, answerTo };
}

async function register(authority: Authority, id: string): Promise<Agent> {
  const { key } = await newAgentKey();
  await authority.agents.add({ id, jwk: key.publicJwk, capabilities: ['repo:read'] });
  return await createAgent({ id, key, clock });
}

it('a guard follows every change of an agent while requests of others go on [C7]', async () => {
  const { authority, answerTo } = await world();
  const steady = await register(authority, 'agent-steady');
  const old = await register(authority, 'agent-changing');
  const becomes = async (agent: Signer, answer: string | RegExp) =>
    await vi.waitFor(async () => expect(await answerTo(agent)).toMatch(answer), patiently);
  await becomes(steady, '200');
  const ends = new AbortController();
  const traffic = Promise.all(
    Array.from({ length: 4 }, async () => {
      const answers = new Map<string, number>();
      while (!ends.signal.aborted) {
        const answer = await answerTo(steady);
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
        await wait(1);
      }
      return answers;
    }),
  );

  await becomes(old, '200');
  await authority.agents.setStatus('agent-changing', 'suspended');
  await becomes(old, '401 agent_suspended');
  await authority.agents.setStatus('agent-changing', 'active');
  await becomes(old, '200');
  const { key } = await newAgentKey();
  await authority.agents.addKey('agent-changing', { jwk: key.publicJwk }, { overlapSeconds: 600 });
  const renewed = await createAgent({ id: 'agent-changing', key });
  await becomes(renewed, '200');
  expect(await answerTo(old)).toBe('200');
  await authority.agents.revokeKey('agent-changing', old.keyId);
  // In the next period of the directory the key is not there any more.
  await becomes(old, /^401 (?:key_not_valid|signature_invalid)$/);
  expect(await answerTo(renewed)).toBe('200');
  await authority.agents.update('agent-changing', { capabilities: ['pr:write'] });
  await becomes(renewed, '403 policy_denied');
  await becomes(await register(authority, 'agent-added'), '200');
  await authority.agents.setStatus('agent-changing', 'revoked');
  await becomes(renewed, '401 signature_invalid');
  ends.abort();
  for (const answers of await traffic) expect([...answers.keys()]).toEqual(['200']);
});

it('a guard follows an authority below a path of an application', async () => {
  const { authority, answerTo } = await world('/oidc');
  expect(await answerTo(await register(authority, 'agent-a'))).toBe('200');
});

it('a guard follows the authority to its next signing key', async () => {
  const { issuer, authority, answerTo } = await world();
  const agent = await register(authority, 'agent-a');
  const start = Date.now();
  const at = (seconds: number) => void vi.useFakeTimers({ toFake: ['Date'], now: start + seconds * 1000 });
  onTestFinished(() => void vi.useRealTimers());
  at(2);
  expect(await answerTo(agent)).toBe('200');
  const signer = async () => decodeProtectedHeader(await (await fetch(`${issuer}/agents.jwt`)).text()).kid;
  const before = await signer();
  await authority.rotateSigningKey();
  at(700);
  expect(await answerTo(agent)).toBe('200');
  expect(await signer()).not.toBe(before);
  await authority.agents.setStatus('agent-a', 'suspended');
  at(710);
  expect(await answerTo(agent)).toBe('401 agent_suspended');
});

it('the directory is a signed document that caches can hold, with a version for each change', async () => {
  const { issuer, authority } = await world();
  const now = Math.floor(Date.now() / 1000);
  const { key } = await newAgentKey();
  const id = 'agent-a';
  await authority.agents.add({
    id,
    jwk: key.publicJwk,
    capabilities: ['repo:read'],
    owner: 'team-x',
    tags: ['ci'],
    roles: ['reviewer', { name: 'on-call', until: now + 600 }],
    expiresAt: now + 6000,
  });
  const read = async (headers: Record<string, string> = {}) => await fetch(`${issuer}/agents.jwt`, { headers });
  const first = await read();
  expect(Object.fromEntries(first.headers)).toMatchObject({
    'content-type': 'application/agent-directory+jwt',
    'cache-control': 'public, max-age=5',
    etag: expect.stringMatching(/^"[\w-]{43}"$/),
  });
  const text = await first.text();
  expect(decodeProtectedHeader(text)).toMatchObject({ typ: 'agent-directory+jwt', alg: 'EdDSA' });
  const { iat = 0, exp = 0, ...claims } = decodeJwt<{ version: number; agents: object[] }>(text);
  expect(exp - iat).toBe(3900);
  expect(claims).toEqual({
    iss: issuer,
    version: expect.any(Number) as number,
    agents: [
      {
        agent_id: id,
        status: 'active',
        owner: 'team-x',
        capabilities: ['repo:read'],
        roles: ['reviewer', { name: 'on-call', until: now + 600 }],
        tags: ['ci'],
        expires: now + 6000,
        keys: [{ ...key.publicJwk, kid: key.keyId, use: 'sig' }],
      },
    ],
  });

  let etag = String(first.headers.get('etag'));
  const versions = [claims.version];
  const { key: next } = await newAgentKey();
  const changes: (() => Promise<unknown>)[] = [
    () => authority.agents.update(id, { owner: 'team-y' }),
    () => authority.agents.addKey(id, { jwk: next.publicJwk }),
    () => authority.agents.revokeKey(id, key.keyId),
    () => authority.agents.setStatusByTag('ci', 'suspended'),
    () => authority.agents.setStatus(id, 'revoked'),
  ];
  for (const change of changes) {
    await change();
    const changed = await read({ 'if-none-match': `W/${etag}` });
    expect(changed.status).toBe(200);
    etag = String(changed.headers.get('etag'));
    versions.push(decodeJwt<{ version: number }>(await changed.text()).version);
  }
  expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
  expect(decodeJwt(await (await read()).text())).toMatchObject({
    agents: [{ agent_id: id, status: 'revoked', keys: [] }],
  });
});
