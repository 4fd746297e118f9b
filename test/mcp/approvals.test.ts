import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit, type QueueAnswer } from '@countersign/core';
import { guardMcpStdio } from '@countersign/mcp';
import { expect, it, onTestFinished } from 'vitest';
import { approvalOf, type Ask, seconds } from '../support/approvals.js';
import { ed25519Issuer } from '../support/tokens.js';
import { guardedMcp, schema } from './support/guarded-mcp.js';
import { answersWith, scriptedServer } from './support/scripted-server.js';

const authority = ed25519Issuer('https://approvals.acme.dev', 'approvals-1');
const issuers = [{ issuer: authority.issuer, jwks: { keys: [authority.jwk] } }];
const asking = `
permit(principal, action == Action::"tool.list", resource);
@id("asks") @approval("release-managers")
permit(principal, action == Action::"tool.call", resource == Tool::"echo");`;

interface Answer {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly data: { readonly code: string; readonly approval: Ask } };
}

/** A server over HTTP behind the guard, whose calls wait for people. */
async function proxied(answers: ReadonlyMap<string, QueueAnswer> = new Map()) {
  const server = await scriptedServer(answersWith({ content: [{ type: 'text', text: 'done' }] }));
  const queue = ({ binding }: { readonly binding: string }): QueueAnswer =>
    answers.get(binding) ?? { status: 'pending', url: 'https://approve.acme.dev/1' };
  const guarded = await guardedMcp(
    `${server.url}/mcp`,
    { tools: { echo: {} } },
    { policy: await cedarFromText({ policies: asking, schema }), approvals: { issuers, queue } },
  );
  onTestFinished(async () => {
    await guarded[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  async function call(params: object, headers: Record<string, string> = {}): Promise<Answer> {
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', ...params } };
    return (await (await guarded.send('alice', { body, headers })).json()) as Answer;
  }
  return { server, guarded, call };
}

it('a call through the HTTP proxy runs once with its approval, which the server does not get [C11]', async () => {
  const { server, call } = await proxied();
  const given = { arguments: { amount: 5, 10: 'a', 9: 'b' } };
  const { error } = await call(given);
  expect(error).toMatchObject({ code: -32003, data: { code: 'approval_required' } });
  const approval = await approvalOf(error?.data.approval as Ask, authority);
  const _meta = { 'countersign/approval': approval, traceparent: 'kept' };
  const other = await call({ arguments: { amount: 500 }, _meta });
  expect(other.error?.data.code).toBe('approval_mismatch');
  expect(server.reached).toEqual([]);
  const answers = await Promise.all([call({ ...given, _meta }), call({ ...given, _meta })]);
  expect(answers.filter(({ result }) => result !== undefined)).toHaveLength(1);
  expect(answers.filter((answer) => answer.error?.data.code === 'approval_used')).toHaveLength(1);
  expect(server.reached).toHaveLength(1);
  expect(server.reached[0]?.body).toContain('traceparent');
  expect(JSON.stringify(server.reached)).not.toContain(approval.slice(0, 40));
});

it('the field of an approval does not reach the server [C11]', async () => {
  const { server, call } = await proxied();
  const { error } = await call({});
  const approval = await approvalOf(error?.data.approval as Ask, authority);
  expect((await call({}, { 'agent-approval': approval })).result).toBeDefined();
  expect(JSON.stringify(server.reached)).not.toContain(approval.slice(0, 40));
});

it('the HTTP proxy sends the user to the page where people approve, and goes on with a sealed state [E7, C11]', async () => {
  const answers = new Map<string, QueueAnswer>();
  const { server, guarded, call } = await proxied(answers);
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } },
  };
  const answered = { other: { action: 'accept' } };
  const first = await call({ _meta, inputResponses: answered });
  expect(first.result).toMatchObject({ resultType: 'input_required', inputRequests: expect.any(Object) });
  const retry = {
    _meta,
    requestState: first.result?.['requestState'],
    inputResponses: { 'countersign-approval': { action: 'accept' }, ...answered },
  };
  const { approval } = guarded.records.findLast(({ code }) => code === 'approval_required') ?? {};
  const [binding, now] = [approval?.binding ?? '', seconds()];
  const approvers = [{ id: 'user_42', groups: ['release-managers'], decidedAt: now }];
  answers.set(binding, {
    status: 'approved',
    id: 'queue-0001',
    binding,
    askedAt: now,
    issuedAt: now,
    expiresAt: now + 60,
    approvers,
  });
  expect((await call(retry)).result).toMatchObject({ content: [{ text: 'done' }] });
  const { params } = JSON.parse(server.reached[0]?.body ?? '') as { readonly params: object };
  // The server knows nothing of the round that the guard put in.
  expect(params).not.toHaveProperty('requestState');
  expect(params).toMatchObject({ inputResponses: { other: { action: 'accept' } } });
  expect(JSON.stringify(params)).not.toContain('countersign-approval');
});

it('a call over standard input runs once with its approval [C11]', async () => {
  const guard = await createGuard({
    origin: 'https://mcp.acme.dev',
    agents: agentsFromObjects([]),
    policy: await cedarFromText({ policies: asking, schema }),
    approvals: { issuers },
    audit: memoryAudit(),
  });
  onTestFinished(() => guard.close());
  const [input, output, toServer, fromServer] = [
    new PassThrough(),
    new PassThrough(),
    new PassThrough(),
    new PassThrough(),
  ];
  const reached: string[] = [];
  createInterface({ input: toServer }).on('line', (line) => {
    const { id, method } = JSON.parse(line) as { readonly id: unknown; readonly method: string };
    if (method === 'tools/call') reached.push(line);
    const result = method === 'tools/list' ? { tools: [{ name: 'echo' }] } : { content: [] };
    fromServer.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
  });
  const done = guardMcpStdio(guard, guard.local({ agent: 'alice' }), {
    client: { input, output },
    server: { input: toServer, output: fromServer },
  });
  const lines = createInterface({ input: output })[Symbol.asyncIterator]();
  async function call(params: object): Promise<Answer> {
    input.write(`${JSON.stringify({ jsonrpc: '2.0', id: crypto.randomUUID(), method: 'tools/call', params })}\n`);
    return JSON.parse(String((await lines.next()).value)) as Answer;
  }
  const params = { name: 'echo', arguments: { amount: 5 } };
  const { error } = await call(params);
  expect(error?.data.code).toBe('approval_required');
  const approval = await approvalOf(error?.data.approval as Ask, authority);
  const approved = { ...params, _meta: { 'countersign/approval': approval } };
  expect((await call({ ...approved, arguments: { amount: 6 } })).error?.data.code).toBe('approval_mismatch');
  expect((await call(approved)).result).toEqual({ content: [] });
  expect((await call(approved)).error?.data.code).toBe('approval_used');
  expect(reached).toHaveLength(1);
  expect(reached[0]).not.toContain(approval);
  input.end();
  toServer.on('end', () => fromServer.end());
  await Promise.all([done, once(fromServer, 'close')]);
});
