import { createAgent, loadAgentKey, type Signer, signingTransport } from '@countersign/agent';
import { agentsFromObjects, cedarFromText, createGuard, type MemoryAudit, memoryAudit } from '@countersign/core';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { keyNamed } from '../support/keys.js';
import { patiently } from '../support/patiently.js';
import { issuer, userId } from '../support/world.js';
import { agents } from './frameworks/agents.js';
import { fastMcp } from './frameworks/fastmcp.js';
import { type Framework, toolsThatNote } from './frameworks/framework.js';
import { mcpHandler } from './frameworks/mcp-handler.js';
import { mcpNest } from './frameworks/mcp-nest.js';
import { programsBehindTheGuard } from './frameworks/programs.js';
import { policies, schema } from './support/guarded-mcp.js';
import { tokenForTheUser } from './support/user-token.js';

const frameworks: readonly Framework[] = [mcpHandler, mcpNest, fastMcp, agents, ...programsBehindTheGuard];
const rows = frameworks.flatMap((framework) =>
  framework.revisions.map((revision) => ({ framework, by: framework.by, name: framework.name, revision })),
);
const missing = frameworks.filter(({ isHere }) => !isHere).map(({ name }) => name);
if (missing.length > 0) console.warn(`skipped: ${missing.join(', ')}. node scripts/test-mcp-frameworks.mjs runs them`);

interface Running {
  readonly url: URL;
  ran(): readonly string[];
  readonly audit: MemoryAudit;
  readonly alice: Signer;
  /** A client of the SDK, whose requests `alice` signs for the user. */
  readonly client: Client;
  stop(): Promise<void>;
}

async function running(framework: Framework, revision: string): Promise<Running> {
  const audit = memoryAudit();
  const tools = toolsThatNote();
  const closing: (() => Promise<void>)[] = [];
  async function stopAll(): Promise<void> {
    for (const close of closing.toReversed()) await close();
  }
  let alice: Signer | undefined;
  const { url, stop, ran } = await framework.start(async (origin) => {
    alice = await aliceForTheUser(origin);
    const guard = await createGuard({
      origin,
      agents: agentsFromObjects([{ id: 'alice', publicKey: keyNamed('alice').publicBase64, capabilities: [] }]),
      issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] } }],
      policy: await cedarFromText({ policies, schema }),
      audit,
    });
    closing.push(() => guard.close());
    return guard;
  }, tools);
  closing.push(stop);
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    { versionNegotiation: { mode: revision === '2026-07-28' ? { pin: revision } : 'legacy' } },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(url), signingTransport(alice as Signer, url)));
  closing.push(() => client.close());
  return { url: new URL(url), ran: ran ?? (() => tools.ran), audit, alice: alice as Signer, client, stop: stopAll };
}

async function aliceForTheUser(audience: string): Promise<Signer> {
  const pem = keyNamed('alice').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const agent = await createAgent({ id: 'alice', key: loadAgentKey(pem) });
  return agent.withToken(await tokenForTheUser(audience));
}

describe.each(rows)('$by with $name, $revision', ({ framework, revision }) => {
  const it = test.skipIf(!framework.isHere);
  let world: Running;
  beforeAll(async () => {
    if (framework.isHere) world = await running(framework, revision);
  });
  afterAll(() => world?.stop());

  /** What a request adds to the tools that ran, and to the log. */
  function since() {
    const [runs, records] = [world.ran().length, world.audit.records.length];
    return { ran: () => world.ran().slice(runs), records: () => world.audit.records.slice(records) };
  }

  it('names agent and user to a permitted tool, and records the call with its outcome', async () => {
    const { ran, records } = since();
    const { content } = await world.client.callTool({ name: 'whoami', arguments: {} });
    const text = framework.by === 'guardTools' ? `alice for ${userId}` : 'ran';
    expect([content, ran()]).toMatchObject([[{ type: 'text', text }], ['whoami']]);
    await vi.waitFor(() => {
      const calls = records().filter(({ call }) => call?.name === 'whoami');
      expect(
        calls.map(({ actor, subject, decision, outcome }) => [actor?.id, subject?.id, decision ?? outcome?.result]),
      ).toEqual([
        ['alice', userId, 'allow'],
        ['alice', userId, 'finished'],
      ]);
    }, patiently);
  });

  it('lists only what the caller may use [E5]', async () => {
    const { tools } = await world.client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual(['query', 'whoami']);
  });

  it.each([
    ['a call that policy denies', 'query', { dataset: 'payroll' }, -32003],
    ['a hidden tool', 'secret', {}, -32602],
    ['an undeclared tool [E4]', 'undeclared', {}, -32602],
    ['a tool that is not there', 'nowhere', {}, -32602],
  ] as const)('refuses %s before the tool', async (_what, name, given, code) => {
    const { ran, records } = since();
    await expect(world.client.callTool({ name, arguments: given })).rejects.toMatchObject({ code });
    expect([
      ran(),
      records()
        .filter(({ decision }) => decision === 'deny')
        .map(({ actor }) => actor?.id),
    ]).toEqual([[], ['alice']]);
  });

  test.runIf(framework.isHere && revision === '2026-07-28')(
    'opens no stream of what the caller may not read [E12]',
    async () => {
      const { url, alice } = world;
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': revision,
        'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      };
      const params = { notifications: { resourceSubscriptions: ['test://t/secret'] }, _meta };
      const { body } = await alice.fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': revision,
          'mcp-method': 'subscriptions/listen',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }),
      });
      const reader = body?.getReader();
      const { value } = (await reader?.read()) ?? {};
      await reader?.cancel();
      const answer = new TextDecoder().decode(value as Uint8Array);
      expect(answer).toContain(framework.decidesStreams ? '-32602' : '"notifications":{}');
    },
  );

  it('refuses a request without a signature', async () => {
    const { ran } = since();
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami' } });
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const answer = await fetch(world.url, { method: 'POST', headers, body });
    expect([answer.status, ran()]).toEqual([401, []]);
  });
});
