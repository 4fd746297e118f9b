import { PassThrough } from 'node:stream';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { Server as Server1 } from '@modelcontextprotocol/sdk/server/index.js';
import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { Server as Server2 } from '@modelcontextprotocol/server';
import { signingTransport } from '@countersign/agent';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import type { Caller } from '@countersign/core';
import { authInfoOf, callerOf, guardTools } from '../src/index.js';
import { hosts, type Running } from './hosts.js';
import { Rpc } from './rpc.js';
import { options, register } from './tools.js';
import { world } from './world.js';

const origin = 'http://127.0.0.1:9';

describe('The wrong server', () => {
  it.each<[string, () => object, string]>([
    ['another object', () => ({}), 'this is no server'],
    ['a server whose inside changed', () => ({ server: { _requestHandlers: {} } }), 'this is no server'],
  ])('%s is refused', async (_title, make, message) => {
    const { guard } = await world(origin);
    expect(() => guardTools(make(), guard)).toThrow(message);
  });

  it('is one that is guarded or connected already', async () => {
    const { guard } = await world(origin);
    const server = new McpServer1({ name: 'test', version: '1.0.0' });
    guardTools(server, guard);
    expect(() => guardTools(server, guard)).toThrow('guarded already');
    const connected = new McpServer1({ name: 'test', version: '1.0.0' });
    const [mine] = InMemoryTransport.createLinkedPair();
    await connected.connect(mine);
    expect(() => guardTools(connected, guard)).toThrow('before connect()');
    expect(() => guardTools(new McpServer1({ name: 'x', version: '1' }), guard, { tool: {} } as never)).toThrow(
      "Did you mean 'tools'",
    );
  });
});

/** A server on streams, as on standard input and output, and a function that asks it. */
async function local(identified: boolean) {
  const around = await world(origin);
  const ran: string[] = [];
  const server = new McpServer1({ name: 'test', version: '1.0.0' });
  const caller = around.guard.local({ agent: 'alice', subject: 'user_123' });
  register(server, ran, () => guardTools(server, around.guard, { ...options, ...(identified && { caller }) }));
  const [input, output] = [new PassThrough(), new PassThrough()];
  await server.connect(new StdioServerTransport(input, output));
  onTestFinished(() => server.close());
  let received = '';
  output.on('data', (chunk: Buffer) => (received += chunk.toString()));
  async function ask(method: string, params: object): Promise<Record<string, unknown>> {
    received = '';
    input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`);
    await vi.waitFor(() => expect(received).toContain('\n'), patiently);
    return JSON.parse(received) as Record<string, unknown>;
  }
  return { ...around, ran, ask };
}

describe('A local server', () => {
  it('acts for the identity that it was given', async () => {
    const { ask, ran, audit } = await local(true);
    expect(await ask('tools/call', { name: 'early' })).toMatchObject({
      result: { content: [{ text: 'for alice, user_123' }] },
    });
    expect(await ask('tools/call', { name: 'deny_me' })).toMatchObject({ error: { code: -32003 } });
    expect(ran).toEqual(['early']);
    await vi.waitFor(() => expect(audit.records).toHaveLength(3), patiently);
    expect(audit.records[0]).toMatchObject({ possession: 'local', subject: { id: 'user_123' } });
  });

  it('does nothing for nobody', async () => {
    const { ask, ran } = await local(false);
    expect(await ask('tools/call', { name: 'early' })).toMatchObject({ error: { code: -32001 } });
    expect(await ask('tools/list', {})).toMatchObject({ error: { code: -32001 } });
    expect(ran).toEqual([]);
  });
});

describe.each([
  ['1', () => new Server1({ name: 'low', version: '1' }, { capabilities: { tools: {} } })],
  ['2', () => new Server2({ name: 'low', version: '1' }, { capabilities: { tools: {} } })],
])('A low-level server of SDK %s', (_sdk, make) => {
  it('has its fallback handler guarded, set before or after', async () => {
    for (const isBefore of [true, false]) {
      const { guard } = await world(origin);
      const server = make() as Server1;
      const ran: string[] = [];
      const fallback = async ({ method }: { method: string }) => (ran.push(method), {});
      if (isBefore) server.fallbackRequestHandler = fallback;
      guardTools(server, guard, {
        caller: guard.local({ agent: 'alice' }),
        methods: { 'acme/known': { action: 'acme', resource: { type: 'Acme', id: 'x' } } },
      });
      if (!isBefore) server.fallbackRequestHandler = fallback;
      const [mine, theirs] = InMemoryTransport.createLinkedPair();
      await server.connect(mine);
      const answers: { readonly id?: unknown }[] = [];
      Object.assign(theirs, { onmessage: (message: object) => answers.push(message) });
      await theirs.start();
      for (const [id, method] of ['acme/known', 'acme/other'].entries())
        await theirs.send({ jsonrpc: '2.0', id, method });
      await vi.waitFor(() => expect(answers).toHaveLength(2), patiently);
      const byId = answers.toSorted((one, other) => Number(one.id) - Number(other.id));
      expect(byId).toMatchObject([{ result: {} }, { error: { code: -32601 } }]);
      expect(ran).toEqual(['acme/known']);
    }
  });
});

/** A client in this process of a low-level server that lists these tools, and what ran. */
async function lowLevel(make: () => object, tools: readonly object[], guardIt: (server: object) => object) {
  const server = make() as Server1;
  const ran: unknown[] = [];
  server.fallbackRequestHandler = async ({ method, params }) => {
    if (method === 'tools/list') return { tools: tools.map((tool) => ({ inputSchema: { type: 'object' }, ...tool })) };
    ran.push(params?.['name']);
    return { content: [] };
  };
  guardIt(server);
  const [mine, theirs] = InMemoryTransport.createLinkedPair();
  const client = new Client1({ name: 'test', version: '1' });
  await Promise.all([server.connect(mine), client.connect(theirs)]);
  return { client, ran };
}

describe.each([
  ['1', () => new Server1({ name: 'low', version: '1' }, { capabilities: { tools: {} } })],
  ['2', () => new Server2({ name: 'low', version: '1' }, { capabilities: { tools: {} } })],
])('Two low-level servers of SDK %s with the same options', (_sdk, make) => {
  const readOnly = { annotations: { readOnlyHint: true } };

  it.each<[string, object]>([
    ['no rules', {}],
    ['rules without annotations', { tools: { purge: {}, read: {} } }],
  ])('learn nothing from each other about a tool of the same name, with %s [E14]', async (_title, rules) => {
    const { guard, queries } = await world(origin);
    const shared = { ...rules, caller: guard.local({ agent: 'alice' }) };
    const guardIt = (server: object) => guardTools(server, guard, shared);
    const other = await lowLevel(make, [{ name: 'purge', ...readOnly }], guardIt);
    const victim = await lowLevel(make, [{ name: 'purge' }, { name: 'read', ...readOnly }], guardIt);
    const groupOf = async ({ client }: typeof victim, name: string) => {
      await client.callTool({ name, arguments: {} });
      return queries.at(-1)?.resource.parents?.map(({ id }) => id);
    };
    await other.client.listTools();
    expect(await groupOf(victim, 'purge')).toEqual(['destructive']);
    expect(await groupOf(other, 'purge')).toEqual(['read']);
    expect(await groupOf(victim, 'purge')).toEqual(['destructive']);
    // Never listed by the client: the server is asked.
    expect(await groupOf(victim, 'read')).toEqual(['read']);
    expect(victim.ran).toEqual(['purge', 'purge', 'read']);
  });
});

describe('Through real clients', () => {
  let running: Running | undefined;
  afterEach(async () => {
    await running?.close();
  });

  async function start(name: string): Promise<Running> {
    const host = hosts.find((one) => one.name === name);
    if (host === undefined) throw new Error(name);
    running = await host.start();
    return running;
  }

  it('the client of SDK 1 opens a session, lists, calls and reads a denial', async () => {
    const { url, alice } = await start('SDK 1 with sessions, on node:http');
    const client = new Client1({ name: 'test', version: '1' });
    await client.connect(new Transport1(new URL(url), signingTransport(alice, url)));
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain('hidden');
    expect(await client.callTool({ name: 'early', arguments: {} })).toMatchObject({
      content: [{ text: 'for alice, alice' }],
    });
    await expect(client.callTool({ name: 'deny_me', arguments: {} })).rejects.toMatchObject({
      code: -32003,
      data: { code: 'policy_denied', title: expect.any(String) },
    });
    await client.close();
  });

  it.each(['2025-11-25', '2026-07-28'])('the client of SDK 2 does in %s', async (version) => {
    const { url, alice } = await start('SDK 2, on node:http');
    const client = new Client2(
      { name: 'test', version: '1' },
      {
        versionNegotiation: version === '2026-07-28' ? { mode: { pin: version } } : { mode: 'legacy' },
      },
    );
    await client.connect(new Transport2(new URL(url), signingTransport(alice, url)));
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain('hidden');
    expect(await client.callTool({ name: 'early', arguments: {} })).toMatchObject({ content: [{ type: 'text' }] });
    await expect(client.callTool({ name: 'deny_me', arguments: {} })).rejects.toMatchObject({ code: -32003 });
    await client.close();
  });

  it('nobody else answers a question that the server asked the opener of a session [E7]', async () => {
    const { url, alice, mallory, ran } = await start('SDK 1 with sessions, on node:http');
    const client = new Client1({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } });
    let asked: ((answer: { action: 'decline' }) => void) | undefined;
    client.setRequestHandler(ElicitRequestSchema, async () => await new Promise((resolve) => (asked = resolve)));
    const transport = new Transport1(new URL(url), signingTransport(alice, url));
    await client.connect(transport);
    const calling = client.callTool({ name: 'early_ask', arguments: {} });
    await vi.waitFor(() => expect(asked).toBeDefined(), patiently);
    const theirs = new Rpc(url);
    for (const id of [0, 1, 2]) {
      const answer = { jsonrpc: '2.0', id, result: { action: 'accept', content: {} } };
      const { status } = await theirs.post(mallory, answer, { 'mcp-session-id': transport.sessionId ?? '' });
      expect(status).toBe(404);
    }
    asked?.({ action: 'decline' });
    await calling;
    expect(ran).toEqual(['elicited decline']);
    await client.close();
  });

  it('a cancelled call is recorded as cancelled', async () => {
    const { url, alice, audit } = await start('SDK 1 with sessions, on node:http');
    const client = new Client1({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } });
    const stop = new AbortController();
    client.setRequestHandler(ElicitRequestSchema, async () => {
      stop.abort('enough');
      return await new Promise(() => {});
    });
    await client.connect(new Transport1(new URL(url), signingTransport(alice, url)));
    const calling = client.callTool({ name: 'early_ask', arguments: {} }, undefined, { signal: stop.signal });
    await expect(calling).rejects.toThrow();
    await vi.waitFor(
      () =>
        expect(audit.records.filter(({ call }) => call?.name === 'early_ask')).toMatchObject([
          { decision: 'allow' },
          { outcome: { result: 'cancelled' } },
        ]),
      patiently,
    );
    await client.close();
  });
});

describe('Tasks of SDK 1', () => {
  it('belong to the caller who began them, whatever the store says [E7]', async () => {
    const { guard } = await world(origin);
    const rules = { tools: { early_task: {} } };
    const taskStore = new InMemoryTaskStore();
    const tasks = { list: {}, cancel: {}, requests: { tools: { call: {} } } };
    const server = new McpServer1({ name: 'test', version: '1' }, { capabilities: { tasks }, taskStore });
    guardTools(server, guard, rules);
    server.experimental.tasks.registerToolTask(
      'early_task',
      { inputSchema: {}, execution: { taskSupport: 'required' } },
      {
        createTask: async (_given, { taskStore: store }) => {
          const task = await store.createTask({ ttl: 60_000 });
          await store.storeTaskResult(task.taskId, 'completed', { content: [{ type: 'text', text: 'secret' }] });
          return { task };
        },
        getTask: async (_given, { taskId, taskStore: store }) => await store.getTask(taskId),
        getTaskResult: async (_given, { taskId, taskStore: store }) =>
          (await store.getTaskResult(taskId)) as { content: [] },
      },
    );
    const [mine, theirs] = InMemoryTransport.createLinkedPair();
    await server.connect(mine);
    const answers = new Map<unknown, { readonly result?: object; readonly error?: object }>();
    Object.assign(theirs, {
      onmessage: (message: { readonly id?: unknown }) => answers.set(message.id, message as object),
    });
    await theirs.start();
    let id = 0;
    async function ask(caller: Caller, method: string, params: object): Promise<Record<string, never>> {
      const asked = ++id;
      await theirs.send({ jsonrpc: '2.0', id: asked, method, params: { ...params } }, { authInfo: authInfoOf(caller) });
      await vi.waitFor(() => expect(answers.has(asked)).toBe(true), patiently);
      return answers.get(asked) as Record<string, never>;
    }
    const alice = guard.local({ agent: 'alice', subject: 'user_1' });
    const other = guard.local({ agent: 'alice', subject: 'user_2' });
    const begun = await ask(alice, 'tools/call', { name: 'early_task', arguments: {}, task: { ttl: 60_000 } });
    const taskId: unknown = Reflect.get(Reflect.get(begun['result'] ?? {}, 'task') as object, 'taskId');
    expect(taskId).toEqual(expect.any(String));
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      expect(await ask(other, method, { taskId }), method).toMatchObject({ error: { code: -32602 } });
    }
    expect(await ask(other, 'tasks/list', {})).toMatchObject({ result: { tasks: [] } });
    expect(await ask(alice, 'tasks/list', {})).toMatchObject({ result: { tasks: [{ taskId }] } });
    expect(await ask(alice, 'tasks/result', { taskId })).toMatchObject({ result: { content: [{ text: 'secret' }] } });
  });
});

it('a handler gets no token of its caller to pass on [E8]', async () => {
  const { guard } = await world(origin);
  const info = authInfoOf(guard.local({ agent: 'alice', scope: ['repo:read'] }));
  expect(info).toEqual({ token: '', clientId: 'alice', scopes: ['repo:read'] });
});

it('callerOf knows nobody outside of a call', () => {
  expect(callerOf()).toBeUndefined();
  expect(callerOf({ authInfo: { token: '', clientId: 'alice', scopes: [] } })).toBeUndefined();
});
