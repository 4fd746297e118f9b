import { createAgent, generateAgentKey, type Signer } from '@countersign/agent';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, permit } from '@countersign/node-http';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../authority/support.js';
import { blocksOf, readPage } from './blocks.js';

const guide = blocksOf(readPage('docs/guides/delegation.md'));
const forbid = guide.find(({ code }) => code.includes('not-through-the-crawler'))?.code ?? 'no such policy';

const ids = ['agent-crawler', 'agent-other', 'agent-runner'] as const;
const scope = ['repo:read'];

it('the policy of docs/guides/delegation.md keeps an agent out of the middle and the start of a chain [C4]', async () => {
  let handle: Parameters<typeof listen>[0] | undefined;
  const api = await listen((request, response) => handle?.(request, response));
  const all = ids.map((id) => ({ id, key: generateAgentKey() }));
  const guard = await createGuard({
    origin: api,
    agents: agentsFromObjects(all.map(({ id, key }) => ({ id, jwk: key.publicJwk, capabilities: scope }))),
    policy: await cedarFromText({
      policies: `permit (principal == Agent::"agent-runner", action, resource);\n${forbid}`,
    }),
    audit: memoryAudit(),
  });
  onTestFinished(() => guard.close());
  const [auth, mayRead] = [agentAuth(guard), permit('repo.read', { type: 'Repo', id: 'acme/api' })];
  handle = async (request, response) => {
    if ((await auth(request, response)) && (await mayRead(request, response))) response.end();
  };
  const [crawler, other, runner] = await Promise.all(all.map(async (agent) => await createAgent(agent)));
  if (crawler === undefined || other === undefined || runner === undefined) throw new Error('an agent is missing');
  const statusOf = async (agent: Signer): Promise<number> => (await agent.fetch(api)).status;
  const handedOn = async (from: { delegate: typeof crawler.delegate }, to: typeof crawler) =>
    to.accept(await from.delegate(to.id, { scope, audience: api }));

  expect(await statusOf(await handedOn(other, runner))).toBe(200);
  expect(await statusOf(await handedOn(crawler, runner))).toBe(403);
  expect(await statusOf(await handedOn(await handedOn(other, crawler), runner))).toBe(403);
});
