import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import {
  type AgentDirectory,
  agentsFromObjects,
  type AuditRecord,
  cedarFromText,
  createGuard,
  memoryAudit,
  type PolicyEngine,
} from '@countersign/core';
import { guardMcpStdio } from '@countersign/mcp';
import { expect, it, vi } from 'vitest';
import { patiently } from '../support/patiently.js';
import { policies, schema } from './support/guarded-mcp.js';

const server = join(import.meta.dirname, 'support/stdio-server.mjs');

interface Piped extends AsyncDisposable {
  /** Writes a message; what is no text is written as JSON. */
  send(message: unknown): void;
  /** The next message for the client. */
  next(): Promise<Record<string, unknown>>;
  /** The text of the next message for the client, whose reader ends lines at CR and U+2028 too. */
  nextLine(): Promise<string>;
  /** The lines that reached the server, without what the guard asks in its own name. */
  reached(): Promise<readonly string[]>;
  readonly records: readonly AuditRecord[];
  readonly troubles: readonly string[];
  /** Ends the client's side. Resolves when the guard is done. */
  end(): Promise<void>;
}

async function piped(
  agent = 'alice',
  agents: AgentDirectory = agentsFromObjects([]),
  ...args: string[]
): Promise<Piped> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-stdio-'));
  const file = join(folder, 'reached');
  const audit = memoryAudit();
  const troubles: string[] = [];
  const guard = await createGuard({
    origin: 'https://mcp.acme.dev',
    agents,
    policy: await cedarFromText({ policies, schema }),
    audit,
    onTrouble: (trouble) => troubles.push(trouble),
  });
  const child = spawn(process.execPath, [server, file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [input, output] = [new PassThrough(), new PassThrough()];
  const done = guardMcpStdio(guard, guard.local({ agent }), {
    client: { input, output },
    server: { input: child.stdin, output: child.stdout },
  });
  const lines = createInterface({ input: output })[Symbol.asyncIterator]();
  return {
    send: (message) => void input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`),
    next: async () => JSON.parse(String((await lines.next()).value)) as Record<string, unknown>,
    nextLine: async () => String((await lines.next()).value),
    reached: async () =>
      (await readFile(file, 'utf8').catch(() => ''))
        .split('\n')
        .slice(0, -1)
        .filter((line) => !line.includes('"id":"countersign-')),
    get records() {
      return audit.records;
    },
    troubles,
    async end() {
      input.end();
      await done;
    },
    async [Symbol.asyncDispose]() {
      input.end();
      await done;
      if (child.exitCode === null) await once(child, 'exit');
      await guard.close();
      await rm(folder, { recursive: true });
    },
  };
}

function withNumber(literal: string): string {
  return JSON.stringify(call('echo', { n: 0 })).replace('"n":0', `"n":${literal}`);
}

function call(name: string, given: object = {}, id: unknown = 1): object {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: given } };
}

it('A stdio guard passes permitted calls on, and records decision and outcome', async () => {
  await using pipe = await piped();
  const line = '{"jsonrpc":"2.0", "id":1,"method":"tools/call","params":{"name":"echo","arguments":{"n":1.50}}}';
  pipe.send(line);
  expect(await pipe.next()).toMatchObject({ method: 'notifications/progress' });
  expect(await pipe.next()).toMatchObject({ id: 1, result: { content: [{ text: 'echo' }] } });
  expect(await pipe.reached()).toEqual([JSON.stringify(call('echo', { n: 1.5 }))]);
  expect(
    pipe.records.map(({ phase, decision, outcome, possession }) => [phase, decision ?? outcome?.result, possession]),
  ).toEqual([
    ['decision', 'allow', 'local'],
    ['outcome', 'finished', 'local'],
  ]);
  // The line of the server that is no message.
  expect(pipe.troubles).toHaveLength(1);
});

// The server, like those in Python and Java, ends lines at CR too.
it.each([
  ['a carriage return', '\r', 'between tokens'],
  ['a line separator', '\u2028', 'in a string'],
  ['a paragraph separator', '\u2029', 'in a string'],
])('A stdio guard passes one message as one line when it holds %s [E15]', async (_what, end, where) => {
  await using pipe = await piped();
  const hidden = JSON.stringify(call('secret', {}, 2));
  const params =
    where === 'in a string' ? JSON.stringify({ x: `${end}${hidden}${end}` }) : `{"x":${end}${hidden}${end}}`;
  pipe.send(`{"jsonrpc":"2.0","id":1,"method":"ping","params":${params}}`);
  expect(await pipe.next()).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
  const reached = (await pipe.reached()).map((line) => JSON.parse(line) as unknown);
  expect(reached).toEqual([{ jsonrpc: '2.0', id: 1, method: 'ping', params: JSON.parse(params) as unknown }]);
});

it('A stdio guard asks the server in one line when what the client sent holds a line separator [E15]', async () => {
  await using pipe = await piped();
  const _meta = {
    'io.modelcontextprotocol/clientInfo': { name: `x\u2028${JSON.stringify(call('secret', {}, 2))}\u2028` },
  };
  pipe.send({ jsonrpc: '2.0', id: 1, method: 'prompts/get', params: { name: 'none', _meta } });
  expect(await pipe.next()).toMatchObject({ id: 1, error: { code: -32602 } });
  expect(await pipe.reached()).toEqual([]);
});

it('A stdio guard passes an answer as one line, with its very numbers, when it holds a line separator [E15]', async () => {
  await using pipe = await piped();
  pipe.send(call('echo', { raw: '{"n":12345678901234567890,\r"content":[],"x":"\u2028{}\u2028"}' }));
  expect(await pipe.next()).toMatchObject({ method: 'notifications/progress' });
  expect(await pipe.nextLine()).toBe(
    '{"jsonrpc":"2.0","id":1,"result":{"n":12345678901234567890, "content":[],"x":"\\u2028{}\\u2028"}}',
  );
});

it('A stdio guard shows only what the caller may use [E5]', async () => {
  await using pipe = await piped();
  pipe.send({ jsonrpc: '2.0', id: 'l', method: 'tools/list' });
  expect(await pipe.next()).toEqual({
    jsonrpc: '2.0',
    id: 'l',
    result: { tools: [{ name: 'echo', inputSchema: {} }] },
  });
});

it.each<[string, unknown, number]>([
  ['a hidden tool', call('secret'), -32602],
  ['a batch [E2]', [call('echo')], -32600],
  ['a member twice [E3]', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32700],
  ['a notification that calls a tool [E4]', { ...call('echo'), id: undefined }, -32600],
  [
    'a resource in another spelling',
    { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'test://t/%73ecret' } },
    -32602,
  ],
  ['an unknown method', { jsonrpc: '2.0', id: 1, method: 'acme/rebuild' }, -32601],
  ['no JSON', 'exit', -32700],
  ['a number that readers take for different ones [E3]', withNumber('9007199254740993'), -32600],
])('A stdio guard refuses %s', async (_what, message, code) => {
  await using pipe = await piped();
  pipe.send(message);
  expect(await pipe.next()).toMatchObject({ error: { code } });
  expect(await pipe.reached()).toEqual([]);
});

it('A stdio guard refuses the first call of a suspended agent [C7]', async () => {
  const agents = { ...agentsFromObjects([]), statusOf: () => 'suspended' as const };
  await using pipe = await piped('alice', agents);
  pipe.send(call('echo'));
  expect(await pipe.next()).toMatchObject({ error: { code: -32001, data: { code: 'agent_suspended' } } });
  expect(await pipe.reached()).toEqual([]);
  expect(pipe.records.map(({ decision, code }) => [decision, code])).toEqual([['deny', 'agent_suspended']]);
});

it.each<[string, object]>([
  ['tasks/update', { taskId: 'begun', inputResponses: {} }],
  ['tasks/list', {}],
  ['ping', {}],
  ['subscriptions/listen', { notifications: { toolsListChanged: true } }],
])('A stdio guard refuses %s of a suspended agent, though it asks policy nothing [C7]', async (method, params) => {
  const agents = { ...agentsFromObjects([]), statusOf: () => 'suspended' as const };
  await using pipe = await piped('alice', agents);
  pipe.send({ jsonrpc: '2.0', id: 1, method, params });
  expect(await pipe.next()).toMatchObject({ error: { code: -32001, data: { code: 'agent_suspended' } } });
  expect(await pipe.reached()).toEqual([]);
  expect(pipe.records).toMatchObject([{ decision: 'deny', code: 'agent_suspended', call: { method } }]);
});

it('A stdio guard refuses an id that waits for its answer, and records a cancelled call', async () => {
  await using pipe = await piped();
  pipe.send(call('echo', { hang: true }));
  pipe.send(call('echo'));
  expect(await pipe.next()).toMatchObject({ id: 1, error: { code: -32600 } });
  pipe.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
  // The server may still answer the first call, and that answer must not be taken for one of another call.
  pipe.send(call('echo'));
  expect(await pipe.next()).toMatchObject({ id: 1, error: { code: -32600 } });
  pipe.send(call('echo', { result: { isError: true } }, 2));
  expect(await pipe.next()).toMatchObject({ method: 'notifications/progress' });
  expect(await pipe.next()).toMatchObject({ id: 2 });
  const outcomes = pipe.records.flatMap(({ outcome }) => outcome ?? []);
  expect(outcomes).toEqual([{ result: 'cancelled' }, { result: 'failed' }]);
});

it('A stdio guard passes on what the server asks for before it lists its tools', async () => {
  await using pipe = await piped('alice', agentsFromObjects([]), 'asks first');
  pipe.send(call('echo'));
  expect(await pipe.next()).toMatchObject({ id: 'roots', method: 'roots/list' });
  pipe.send({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
  pipe.send({ jsonrpc: '2.0', id: 'roots', result: { roots: [] } });
  expect(await pipe.next()).toMatchObject({ method: 'notifications/progress' });
  expect(await pipe.next()).toMatchObject({ id: 1, result: { content: [{ text: 'echo' }] } });
  const reached = (await pipe.reached()).map((line) => JSON.parse(line) as object);
  expect(reached.slice(0, 2)).toMatchObject([{ id: 'roots' }, { id: 1 }]);
});

it('A stdio guard ends with its server, and records calls without an answer as cut off', async () => {
  await using pipe = await piped();
  pipe.send(call('echo', { exit: 3 }));
  await vi.waitFor(() => expect(pipe.records.at(-1)?.outcome).toEqual({ result: 'aborted' }), patiently);
});

it('A stdio guard records a call that was being decided when its server ended as cut off', async () => {
  const audit = memoryAudit();
  const output = new PassThrough();
  const policy: PolicyEngine = {
    scopeVocabulary: [],
    async decide() {
      output.end();
      await once(output, 'close');
      return { decision: 'allow', cause: 'policy', policies: [], policySet: 'test', errors: [] };
    },
  };
  const guard = await createGuard({ origin: 'https://mcp.acme.dev', agents: agentsFromObjects([]), policy, audit });
  const client = { input: new PassThrough(), output: new PassThrough() };
  client.input.write(
    `${JSON.stringify({ ...call('echo'), method: 'resources/read', params: { uri: 'file:///a' } })}\n`,
  );
  await guardMcpStdio(guard, guard.local({ agent: 'alice' }), { client, server: { input: new PassThrough(), output } });
  expect(audit.records.map(({ decision, outcome }) => decision ?? outcome?.result)).toEqual(['allow', 'aborted']);
  await guard.close();
});

it('A stdio guard ends the server when the client has gone', async () => {
  await using pipe = await piped();
  pipe.send({ jsonrpc: '2.0', id: 1, method: 'ping' });
  expect(await pipe.next()).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
  await pipe.end();
});
