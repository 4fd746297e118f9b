import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Guard } from '@countersign/core';
import { agentAuth, permit } from '@countersign/node-http';
import { Server as Server1 } from '@modelcontextprotocol/sdk/server/index.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer as McpServer2, Server as Server2 } from '@modelcontextprotocol/server';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { serve } from '../../../../test/support/guarded.js';
import { patiently } from '../../../../test/support/patiently.js';
import { authInfoOf, guardTools } from '../../src/index.js';
import { register } from '../tools.js';
import { world } from '../world.js';

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

const callOf = (name: string, id = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: {} },
});

/** Both transports with sessions, on a store of events that knows no session. */
const transports = [
  {
    sdk: 1,
    async connect(guard: Guard, ran: string[], options: object) {
      const transport = new StreamableHTTPServerTransport(options);
      const server = new McpServer({ name: 'test', version: '1' });
      register(server, ran, () => guardTools(server, guard));
      await server.connect(transport);
      return transport;
    },
  },
  {
    sdk: 2,
    async connect(guard: Guard, ran: string[], options: object) {
      const transport = new NodeStreamableHTTPServerTransport(options);
      const server = new McpServer2({ name: 'test', version: '1' });
      register(server, ran, () => guardTools(server, guard));
      await server.connect(transport);
      return transport;
    },
  },
] as const;

describe.each(transports)('Sessions of SDK $sdk with a shared store of events', ({ connect: connectTransport }) => {
  it('belong to their openers, with all that they were sent [E11]', async () => {
    const { guard } = await world('http://127.0.0.1:9');
    const ran: string[] = [];
    const stored: { readonly id: string; readonly streamId: string; readonly message: object }[] = [];
    const eventStore = {
      async storeEvent(streamId: string, message: object) {
        const id = String(stored.length);
        stored.push({ id, streamId, message });
        return id;
      },
      async getStreamIdForEventId(id: string) {
        return stored[Number(id)]?.streamId;
      },
      async replayEventsAfter(id: string, { send }: { send: (id: string, message: object) => Promise<void> }) {
        const { streamId = '' } = stored[Number(id)] ?? {};
        for (const event of stored.slice(Number(id) + 1)) {
          if (event.streamId === streamId) await send(event.id, event.message);
        }
        return streamId;
      },
    };
    const sessions = new Map<string, Awaited<ReturnType<typeof connectTransport>>>();
    let opened = 0;
    const http = createServer((request, response) => {
      void (async () => {
        Object.assign(request, { auth: authInfoOf(guard.local({ agent: String(request.headers['x-agent']) })) });
        const id = String(request.headers['mcp-session-id'] ?? `session-${(opened += 1)}`);
        const transport =
          sessions.get(id) ?? (await connectTransport(guard, ran, { sessionIdGenerator: () => id, eventStore }));
        sessions.set(id, transport);
        await transport.handleRequest(request, response);
      })();
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    onTestFinished(() => {
      http.closeAllConnections();
      http.close();
    });
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    async function send(agent: string, session: string, fields: Record<string, string>, message?: object) {
      const headers = {
        'x-agent': agent,
        accept: message === undefined ? 'text/event-stream' : 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-protocol-version': '2025-11-25',
        ...(session !== '' && { 'mcp-session-id': session }),
        ...fields,
      };
      const body = message === undefined ? null : JSON.stringify(message);
      return await fetch(url, { method: message === undefined ? 'GET' : 'POST', headers, body });
    }
    for (const agent of ['alice', 'mallory']) {
      const answer = await send(agent, '', {}, initialize);
      expect(answer.status).toBe(200);
      await answer.text();
    }
    const [mine, theirs] = ['session-1', 'session-2'];
    const answered = await (await send('alice', mine, {}, callOf('early'))).text();
    const [, primed = ''] = /^id: (.*)$/m.exec(answered) ?? [];
    expect(primed).toMatch(/^\d+\./);
    expect(ran).toEqual(['early']);
    for (const event of [primed, ...stored.map(({ id }) => id)]) {
      expect((await send('mallory', theirs, { 'last-event-id': event })).status).toBe(400);
      expect((await send('mallory', mine, { 'last-event-id': event })).status).toBe(404);
    }
    const resumed = await send('alice', mine, { 'last-event-id': primed });
    const reader = resumed.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toContain('for alice, alice');
    await reader.cancel();
    expect((await send('mallory', mine, {}, callOf('early'))).status).toBe(404);
    expect(ran).toEqual(['early']);
  });
});

describe.each(transports)('A request of nobody to a transport of SDK $sdk', ({ connect: connectTransport }) => {
  it.each([{ sessionIdGenerator: () => 'session-1' }, { sessionIdGenerator: undefined }])(
    'opens no session and no stream with %o [E11]',
    async (options) => {
      const { guard, troubles } = await world('http://127.0.0.1:9');
      const onsessioninitialized = vi.fn();
      await using served = await serve((request, response) => {
        void connectTransport(guard, [], { ...options, onsessioninitialized }).then((transport) =>
          transport.handleRequest(request, response),
        );
      });
      for (const message of [initialize, callOf('early'), undefined]) {
        const body = message === undefined ? null : JSON.stringify(message);
        const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
        const answer = await fetch(served.url, { method: message === undefined ? 'GET' : 'POST', headers, body });
        expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([401, null]);
        expect(await answer.json()).toMatchObject({ error: { code: -32001, message: 'Unauthorized' }, id: null });
      }
      expect(onsessioninitialized).not.toHaveBeenCalled();
      expect(troubles).toEqual([expect.stringContaining('without a verified caller')]);
    },
  );
});

describe('A session over HTTP/2', () => {
  it('is refused to everybody else, and answers its owner [E11]', async () => {
    const { guard, ran } = { ...(await world('http://127.0.0.1:9')), ran: [] as string[] };
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => 'one', enableJsonResponse: true });
    const server = new McpServer({ name: 'test', version: '1' });
    register(server, ran, () => guardTools(server, guard));
    await server.connect(transport);
    const listener = createHttp2((request, response) => {
      const caller = guard.local({ agent: String(request.headers['x-agent']) });
      Object.assign(request, { auth: authInfoOf(caller) });
      const [plain, answer] = [request, response] as unknown as [IncomingMessage, ServerResponse];
      void transport.handleRequest(plain, answer);
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const client = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
    onTestFinished(() => {
      client.close();
      listener.close();
    });
    async function post(agent: string, message: object, session?: string): Promise<[unknown, string]> {
      const stream = client.request({
        ':method': 'POST',
        ':path': '/mcp',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'x-agent': agent,
        ...(session !== undefined && { 'mcp-session-id': session }),
      });
      stream.end(JSON.stringify(message));
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      let text = '';
      for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
      return [headers[':status'], text];
    }
    expect((await post('alice', initialize))[0]).toBe(200);
    expect(await post('mallory', callOf('early'), 'one')).toEqual([404, expect.stringContaining('Session not found')]);
    expect(ran).toEqual([]);
    expect((await post('alice', callOf('early'), 'one'))[0]).toBe(200);
    expect(ran).toEqual(['early']);
  });
});

/** A server whose stream is opened by alice. */
async function started() {
  const ran: string[] = [];
  const transports = new Map<string, SSEServerTransport>();
  const http = createServer();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const around = await world(url);
  const [auth, anyAgent] = [agentAuth(around.guard), permit(false)];
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!(await auth(request, response)) || !(await anyAgent(request, response))) return;
    if (request.method === 'GET') {
      const transport = new SSEServerTransport('/messages', response);
      transports.set(transport.sessionId, transport);
      const server = new McpServer({ name: 'test', version: '1' });
      register(server, ran, () => guardTools(server, around.guard));
      await server.connect(transport);
      return;
    }
    const id = new URL(request.url ?? '', url).searchParams.get('sessionId') ?? '';
    await transports.get(id)?.handlePostMessage(request, response);
  }
  http.on('request', (request, response) => void handle(request, response));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const stream = await around.alice.fetch(`${url}/sse`, { headers: { accept: 'text/event-stream' } });
  let received = '';
  const ended = (async () => {
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>) {
      received += chunk;
    }
  })().catch(() => undefined);
  await vi.waitFor(() => expect(received).toContain('sessionId='), patiently);
  const endpoint = `${url}${/data: (.*)/.exec(received)?.[1] ?? ''}`;
  const post = async (agent: typeof around.alice, message: object) => {
    const headers = { 'content-type': 'application/json' };
    return (await agent.fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(message) })).status;
  };
  return { ...around, ran, ended, post, received: () => received };
}

describe('The transport of SDK 1 with a stream of its own', () => {
  it('belongs to whoever opened the stream, also before initialize [E11]', async () => {
    const { alice, mallory, audit, post, ran, received } = await started();
    expect(await post(mallory, initialize)).toBe(404);
    expect(await post(mallory, callOf('early'))).toBe(404);
    expect(await post(mallory, { jsonrpc: '2.0', id: 0, result: { action: 'accept' } })).toBe(404);
    expect(audit.records.filter(({ decision }) => decision === 'deny')).toHaveLength(3);
    expect(await post(alice, initialize)).toBe(202);
    expect(await post(alice, { jsonrpc: '2.0', method: 'notifications/initialized' })).toBe(202);
    expect(await post(alice, callOf('hidden', 2))).toBe(202);
    expect(await post(alice, callOf('early', 3))).toBe(202);
    await vi.waitFor(() => expect(received()).toContain('for alice, alice'), patiently);
    expect(received()).toContain('Tool hidden not found');
    expect(ran).toEqual(['early']);
  });

  it('ends at once if nobody opened it [E11]', async () => {
    const { guard } = await world('http://127.0.0.1:9');
    const closed = vi.fn();
    await using served = await serve((_request, response) => {
      const transport = new SSEServerTransport('/messages', response);
      const server = new McpServer({ name: 'test', version: '1' });
      Object.assign(server.server, { onclose: closed });
      register(server, [], () => guardTools(server, guard));
      void server.connect(transport).then(() => server.sendLoggingMessage({ level: 'info', data: 'SECRET' }));
    });
    const stream = await fetch(`${served.url}/sse`, { headers: { accept: 'text/event-stream' } });
    expect([stream.status, await stream.text()]).toEqual([401, expect.not.stringContaining('SECRET')]);
    await vi.waitFor(() => expect(closed).toHaveBeenCalled(), patiently);
  });

  it('ends with its caller [E11]', { timeout: 15_000 }, async () => {
    const { ended, guard } = await started();
    guard.revocations.revoke({ agent: 'alice' });
    await ended;
  });
});

describe.each([
  ['1', () => new Server1({ name: 'low', version: '1' }, { capabilities: { tools: {} } })],
  ['2', () => new Server2({ name: 'low', version: '1' }, { capabilities: { tools: {} } }) as unknown as Server1],
])('A low-level server of SDK %s that folds the names of its tools', (sdk, make) => {
  it('is called only by the names that it lists, page by page [E4]', async () => {
    const { guard, queries } = await world('http://127.0.0.1:9');
    const server = make();
    const ran: string[] = [];
    let lists = 0;
    const handlers = {
      'tools/list': async ({ params }: { params?: { cursor?: string } | undefined }) => {
        lists += 1;
        const name = params?.cursor === undefined ? 'early' : 'deny_me';
        return { tools: [{ name, inputSchema: { type: 'object' } }], ...(name === 'early' && { nextCursor: 'b' }) };
      },
      'tools/call': async ({ params }: { params: { name: string } }) => {
        ran.push(params.name.toLowerCase());
        return { content: [] };
      },
    };
    guardTools(server, guard, { caller: guard.local({ agent: 'alice' }) });
    const schemas = { 'tools/list': ListToolsRequestSchema, 'tools/call': CallToolRequestSchema };
    for (const [method, handler] of Object.entries(handlers)) {
      const first: unknown = sdk === '1' ? Reflect.get(schemas, method) : method;
      server.setRequestHandler(first as never, handler);
    }
    const [mine, theirs] = InMemoryTransport.createLinkedPair();
    await server.connect(mine);
    const answers = new Map<unknown, { readonly error?: { readonly code: number } }>();
    Object.assign(theirs, {
      onmessage: (message: { readonly id?: unknown }) => answers.set(message.id, message as object),
    });
    await theirs.start();
    async function ask(name: string, id: number) {
      await theirs.send({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: {} } });
      await vi.waitFor(() => expect(answers.has(id)).toBe(true), patiently);
      return answers.get(id)?.error?.code;
    }
    expect(await ask('DENY_ME', 1)).toBe(-32602);
    expect(queries).toEqual([]);
    expect(await ask('early', 2)).toBeUndefined();
    expect(await ask('Early', 3)).toBe(-32602);
    expect(await ask('deny_me', 4)).toBe(-32003);
    expect([ran, lists]).toEqual([['early'], 2]);
  });
});
