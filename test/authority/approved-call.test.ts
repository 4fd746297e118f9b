import { AgentError, type ApprovalQuestion, createAgent, generateAgentKey } from '@countersign/agent';
import { developmentUser } from '@countersign/authority';
import { agentsFromAuthority, approvalUsesInFolder, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller, permit } from '@countersign/node-http';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../support/patiently.js';
import { listen, startAuthority } from './support.js';

const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;
const rita = { subject: 'user:rita', name: 'Rita', groups: ['release-managers'] };

/** An API whose merges wait for people, an authority that asks them, and an agent that waits by itself. */
async function world() {
  let handle: Parameters<typeof listen>[0] | undefined;
  const api = await listen((request, response) => handle?.(request, response));
  const { issuer, authority } = await startAuthority({
    audience: api,
    users: { authenticate: developmentUser('user:rita') },
    approvals: {},
  });
  const key = generateAgentKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, capabilities: ['pr:write'] });
  const folder = mkdtempSync(join(tmpdir(), 'countersign-approved-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await approvalUsesInFolder(folder);
  // Approvals from the second in which it was made do not count.
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(join(folder, 'epoch'), hourAgo, hourAgo);
  const audit = memoryAudit();
  const guard = await createGuard({
    origin: api,
    agents: await agentsFromAuthority(issuer, { maxAgeSeconds: 1, ...local }),
    issuers: [{ issuer, ...local }],
    approvals: { issuers: [{ issuer, ...local }], uses: await approvalUsesInFolder(folder) },
    policy: await cedarFromText({
      policies: `
        @id("merge") @approval("release-managers") permit (principal, action == Action::"pr.merge", resource);
        @id("land") @approval("release-managers") @approval_count("2")
        permit (principal, action == Action::"pr.land", resource);`,
    }),
    audit,
  });
  onTestFinished(() => guard.close());
  const auth = agentAuth(guard);
  const mayMerge = permit('pr.merge', { type: 'Repo', id: 'acme/api' });
  const mayLand = permit('pr.land', { type: 'Repo', id: 'acme/api' });
  const ran: string[] = [];
  handle = async (request, response) => {
    const may = request.url === '/land' ? mayLand : mayMerge;
    if (!(await auth(request, response)) || !(await may(request, response))) return;
    ran.push(getCaller(request)?.actor.id ?? '');
    response.end('merged');
  };
  const agent = await createAgent({ id: 'agent-a', key, authority: issuer, onApprovalRequired: 'wait' });
  return { api, audit, authority, issuer, key, ran, agent: await agent.withOwnToken() };
}

type World = Awaited<ReturnType<typeof world>>;

interface Problem {
  readonly code: string;
  readonly approval: ApprovalQuestion;
}

/** What waits for people. */
async function waiting({ authority }: World) {
  return await vi.waitFor(async () => {
    const [listed] = (await authority.approvals?.list({ waiting: true, limit: 9 })) ?? [];
    // The list leaves out what the agent shows.
    const first = await authority.approvals?.find(listed?.id ?? '');
    expect(first).toBeDefined();
    return first!;
  }, patiently);
}

it('an agent waits for people, and its call runs once with their approval [C11]', async () => {
  const at = await world();
  const body = JSON.stringify({ sha: 'd6cd1e2' });
  const headers = { 'Content-Type': 'application/json' };
  const merging = at.agent.fetch(`${at.api}/merge?squash=1`, { method: 'POST', headers, body });
  const { id, binding, shown } = await waiting(at);
  expect(shown).toEqual({ text: body });
  expect(at.ran).toEqual([]);
  await at.authority.approvals?.decide(rita, { id, binding, verdict: 'approve', reason: 'reviewed' });
  const response = await merging;
  expect([response.status, await response.text()]).toEqual([200, 'merged']);
  expect(at.ran).toEqual(['agent-a']);
  const decisions = at.audit.records.filter(({ phase }) => phase === 'decision');
  expect(decisions).toMatchObject([
    { decision: 'deny', code: 'approval_required', approval: { binding } },
    {
      decision: 'allow',
      approval: { binding, id, issuer: at.issuer, approvers: [{ id: 'user:rita', reason: 'reviewed' }] },
    },
  ]);
});

it('an agent learns why people did not approve, and nothing runs', async () => {
  const at = await world();
  const merging = at.agent.fetch(`${at.api}/merge`, { method: 'POST' });
  const refused = expect(merging).rejects.toMatchObject({
    code: 'approval_denied',
    message: expect.stringContaining('Monday'),
  });
  const { id, binding } = await waiting(at);
  await at.authority.approvals?.decide(rita, { id, binding, verdict: 'deny', reason: 'wait until Monday' });
  await refused;
  expect(at.ran).toEqual([]);
});

it('an approver who is revoked at the authority counts no more for a call that waits [C11]', async () => {
  const at = await world();
  const landing = at.agent.fetch(`${at.api}/land`, { method: 'POST' });
  const { id, binding } = await waiting(at);
  const approve = async (name: string) =>
    (await at.authority.approvals?.decide({ ...rita, subject: name, name }, { id, binding, verdict: 'approve' }))
      ?.status;
  expect(await approve('user:sam')).toBe('pending');
  await at.authority.delegations.revoke({ subject: 'user:sam' });
  expect(await approve('user:rita')).toBe('pending');
  expect(await approve('user:ron')).toBe('approved');
  expect((await landing).status).toBe(200);
  const allowed = at.audit.records.find(({ decision }) => decision === 'allow');
  expect(allowed?.approval?.approvers?.map((each) => each.id)).toEqual(['user:rita', 'user:ron']);
});

it('an agent that gives up withdraws its question', async () => {
  const at = await world();
  const controller = new AbortController();
  const merging = at.agent.fetch(`${at.api}/merge`, { method: 'POST', signal: controller.signal });
  const refused = expect(merging).rejects.toThrow('enough');
  const { id } = await waiting(at);
  controller.abort(new Error('enough'));
  await refused;
  expect(await at.authority.approvals?.find(id)).toMatchObject({ status: 'withdrawn' });
});

it('without a handler the refusal is returned, and its question can be asked by hand', async () => {
  const at = await world();
  const plain = await createAgent({ id: 'agent-a', key: at.key, authority: at.issuer });
  const agent = await plain.withOwnToken();
  const refused = await agent.fetch(`${at.api}/merge`, { method: 'POST' });
  expect(refused.status).toBe(403);
  const { code, approval: question } = (await refused.json()) as Problem;
  expect(code).toBe('approval_required');
  const onAsked = vi.fn();
  const asking = plain.requestApproval({ ...question, shown: { why: 'the tests are green' } }, { onAsked });
  const { id, binding, shown } = await waiting(at);
  expect(shown).toEqual({ why: 'the tests are green' });
  expect(onAsked).toHaveBeenCalledWith({
    id,
    url: `${at.issuer}/approvals/${id}`,
    expiresInSeconds: expect.any(Number),
  });
  await at.authority.approvals?.decide(rita, { id, binding, verdict: 'approve' });
  const headers = { 'agent-approval': await asking };
  expect((await agent.fetch(`${at.api}/merge`, { method: 'POST', headers })).status).toBe(200);
  // Used once.
  const again = await agent.fetch(`${at.api}/merge`, { method: 'POST', headers });
  expect(await again.json()).toMatchObject({ code: 'approval_used' });
});

it('an agent asks nobody at an authority whose approvals do not count', async () => {
  const at = await world();
  const agent = await createAgent({ id: 'agent-a', key: at.key, authority: at.issuer });
  const refused = await (await agent.withOwnToken()).fetch(`${at.api}/merge`, { method: 'POST' });
  const { approval } = (await refused.json()) as Problem;
  await expect(agent.requestApproval({ ...approval, issuers: ['https://id.partner.example'] })).rejects.toThrow(
    AgentError,
  );
  expect(await at.authority.approvals?.list({ waiting: true, limit: 9 })).toEqual([]);
});
