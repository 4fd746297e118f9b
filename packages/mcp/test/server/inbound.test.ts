import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js';
import { Server as Server1 } from '@modelcontextprotocol/sdk/server/index.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { patiently } from '../../../../test/support/patiently.js';
import { authInfoOf, guardHandler, guardTools } from '../../src/index.js';
import { world } from '../world.js';

const relatedTo = (taskId: unknown) => ({ _meta: { 'io.modelcontextprotocol/related-task': { taskId } } });

/** A server of SDK 1 with a queue for its tasks, and two callers on one transport. */
async function served(mode?: 'observe') {
  const { guard, audit } = await world('http://127.0.0.1:9', mode);
  const ran: string[] = [];
  const queued: unknown[] = [];
  const taskMessageQueue = {
    enqueue: async (_taskId: string, message: unknown) => void queued.push(message),
    dequeue: async () => undefined,
    dequeueAll: async () => [],
  };
  const capabilities = { tools: {}, tasks: { requests: { tools: { call: {} } } } };
  const taskStore = new InMemoryTaskStore();
  onTestFinished(() => taskStore.cleanup());
  const server = new Server1({ name: 'test', version: '1' }, { capabilities, taskMessageQueue, taskStore });
  guardTools(server, guard);
  server.setRequestHandler(ListToolsRequestSchema, async () => ({
    tools: ['begin', 'echo'].map((name) => ({ name, inputSchema: { type: 'object' as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    ran.push(params.name);
    const task = { taskId: 't1', status: 'working' as const, createdAt: '', lastUpdatedAt: '', ttl: null };
    return params.name === 'begin' ? { task } : { content: [] };
  });
  for (const method of ['notifications/jobs/cancel', 'notifications/roots/list_changed'] as const) {
    server.setNotificationHandler(z.object({ method: z.literal(method), params: z.unknown().optional() }), () => {
      ran.push(method);
    });
  }
  const [client, behind] = InMemoryTransport.createLinkedPair();
  const answers: unknown[] = [];
  Object.assign(client, { onmessage: (message: unknown) => void answers.push(message) });
  // As a transport of HTTP: SDK 1 says of no notification who sent it.
  const http = Object.assign(behind, {
    handleRequest: async (message: object, options: object) => await client.send(message as never, options),
  });
  await server.connect(http);
  await client.start();
  const send = (agent: string, message: object) =>
    http.handleRequest({ jsonrpc: '2.0', ...message }, { authInfo: authInfoOf(guard.local({ agent })) });
  await send('alice', { id: 0, method: 'tools/call', params: { name: 'begin' } });
  await vi.waitFor(() => expect(answers).toHaveLength(1), patiently);
  const recordsBefore = audit.records.length;
  return { ran, queued, answers, send, records: () => audit.records.slice(recordsBefore) };
}

describe('A server of SDK 1 with tasks', () => {
  it.each(['tools/call', 'prompts/get', 'acme/unknown'])(
    'puts no refusal of %s into the task of another caller, who would take it for an answer [E11]',
    async (method) => {
      const { ran, queued, answers, send, records } = await served();
      await send('mallory', { id: 1, method, params: { name: 'echo', ...relatedTo('t1') } });
      await vi.waitFor(() => expect(answers).toHaveLength(2), patiently);
      expect(answers[1]).toMatchObject({ id: 1, error: { code: -32602, message: 'Task not found' } });
      expect([ran, queued]).toEqual([['begin'], []]);
      expect(records()).toMatchObject([{ decision: 'deny', actor: { id: 'mallory' }, call: { method } }]);
    },
  );

  it('serves requests that are related to a task of their caller', async () => {
    const { ran, queued, send } = await served();
    await send('alice', { id: 1, method: 'tools/call', params: { name: 'echo', ...relatedTo('t1') } });
    await vi.waitFor(() => expect(queued).toHaveLength(1), patiently);
    expect(ran).toEqual(['begin', 'echo']);
  });

  it.each([
    ['that MCP does not define', 'notifications/jobs/cancel', {}, 'route_unmapped'],
    ['about a task of another caller', 'notifications/roots/list_changed', relatedTo('t1'), 'policy_denied'],
  ])('takes no notification %s [E4, E11]', async (_what, method, params, code) => {
    const { ran, send, records } = await served();
    await send('mallory', { method, params });
    await vi.waitFor(() => expect(records()).toHaveLength(1), patiently);
    expect(records()).toMatchObject([{ decision: 'deny', code, call: { method } }]);
    await send('mallory', { method: 'notifications/roots/list_changed' });
    await vi.waitFor(() => expect(ran).toEqual(['begin', 'notifications/roots/list_changed']), patiently);
  });

  it('takes any notification while the guard observes', async () => {
    const { ran, send } = await served('observe');
    await send('mallory', { method: 'notifications/jobs/cancel', params: {} });
    await vi.waitFor(() => expect(ran).toContain('notifications/jobs/cancel'), patiently);
  });
});

describe('A server of SDK 2 that also serves standard input', () => {
  const revision = '2026-07-28';
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  it.each([
    ['a notification that MCP does not define', { method: 'notifications/x', params: { _meta } }],
    [
      'a request that is related to a task',
      { id: 1, method: 'tools/list', params: { _meta: { ..._meta, ...relatedTo('t')._meta } } },
    ],
  ])('takes nobody over HTTP for its local caller: %s [E9, F7]', async (_what, message) => {
    for (const mode of ['enforce', 'observe'] as const) {
      const { guard, audit } = await world('http://127.0.0.1:9', mode);
      const options = { caller: guard.local({ agent: 'alice' }) };
      const created = createMcpHandler(() =>
        guardTools(new McpServer({ name: 'test', version: '1' }, { capabilities: { tools: {} } }), guard, options),
      );
      onTestFinished(() => created.close());
      for (const handler of [created, guardHandler(created, guard, options)]) {
        const request = new Request('http://127.0.0.1:9/mcp', {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'mcp-protocol-version': revision,
            'mcp-method': message.method,
          },
          body: JSON.stringify({ jsonrpc: '2.0', ...message }),
        });
        const answer = await handler.fetch(request);
        await answer.text();
        expect(audit.records).toEqual([]);
      }
    }
  });
});
