import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import express4 from 'express4';
import { describe, expect, it } from 'vitest';
import { deferred } from '../support/deferred.js';
import { type GuardedMcp, guardedMcp } from './support/guarded-mcp.js';
import { answersWith, event, scriptedServer } from './support/scripted-server.js';

function ask(method: string, params: object = {}, id: unknown = 1): object {
  return { jsonrpc: '2.0', id, method, params };
}

function beginEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

/** A text that a server which believes `charset=utf-7` reads as the end of the arguments, and another name. */
const hidden = Buffer.from('"},"name":"secret","_":{"_":"', 'utf16le').swap16().toString('base64');
const twofold = JSON.stringify(ask('tools/call', { name: 'echo', arguments: { x: `+${hidden.replace(/=+$/, '')}-` } }));

describe.each([
  ['Express 4', express4 as unknown as typeof express],
  ['Express 5', express],
])('guardMcpHttp before a server with the JSON parser of %s', (_name, framework) => {
  it('passes no charset on, so that the server reads what was decided about [E3]', async () => {
    const ran: unknown[] = [];
    const app = framework();
    app.use(framework.json());
    app.post('/mcp', (request, response) => {
      ran.push((request.body as { params: { name: unknown } }).params.name);
      response.json({ jsonrpc: '2.0', id: 1, result: { content: [] } });
    });
    const server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await using guarded = await guardedMcp(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, {
      tools: { echo: {} },
    });
    const headers = { 'content-type': 'application/json; charset=utf-7' };
    expect((await guarded.send('bob', { body: twofold, headers })).status).toBe(200);
    expect(ran).toEqual(['echo']);
    server.close();
    server.closeAllConnections();
  });
});

/** Opens a session as bob, and reads its stream: the sealed id of the last event in it. */
async function streamOf(
  guarded: GuardedMcp,
): Promise<{ readonly session: { readonly 'mcp-session-id': string }; readonly lastEvent: string }> {
  const opened = await guarded.send('bob', { body: ask('initialize') });
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
  const stream = await (await guarded.send('bob', { method: 'GET', headers: session })).text();
  const [, lastEvent = ''] = /^id: (.*)$/m.exec(stream) ?? [];
  return { session, lastEvent };
}

describe('guardMcpHttp', () => {
  it('takes a message only as application/json [E3]', async () => {
    await using server = await scriptedServer(answersWith({ content: [] }));
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const body = ask('tools/call', { name: 'echo', arguments: {} });
    const answer = await guarded.send('bob', { body, headers: { 'content-type': 'text/plain' } });
    expect(answer.status).toBe(415);
    expect(server.reached).toEqual([]);
  });

  it('filters a list that comes as the answer to a call with the same id [E5]', async () => {
    const called = deferred();
    let stream: ServerResponse | undefined;
    await using server = await scriptedServer(async (response, { body }) => {
      beginEvents(response);
      if ((JSON.parse(body) as { method: string }).method === 'tools/call') {
        stream = response;
        called.resolve();
        return;
      }
      await called.promise;
      if (stream === undefined) throw new Error('no call');
      event(stream, { jsonrpc: '2.0', id: 7, result: { tools: [{ name: 'echo' }, { name: 'secret' }] } });
      stream.end();
    });
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const list = guarded.send('bob', { body: ask('tools/list', {}, 7) });
    const call = await guarded.send('bob', { body: ask('tools/call', { name: 'echo', arguments: {} }, 7) });
    expect(await call.text()).toBe('data: {"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo"}]}}\n\n');
    await (await list).body?.cancel();
  });

  it('learns nothing of a tool from the result of another one [E14]', async () => {
    const readOnly = { annotations: { readOnlyHint: true } };
    const listed = { tools: [{ name: 'weather', ...readOnly }, { name: 'purge' }] };
    // As a gateway does that passes on what a third party answered.
    const passedOn = { content: [], tools: [{ name: 'purge', ...readOnly }, { name: 'hidden' }] };
    await using server = await scriptedServer((response, reached, request) => {
      const { method } = JSON.parse(reached.body) as { method: string };
      return answersWith(method === 'tools/list' ? listed : passedOn)(response, reached, request);
    });
    await using guarded = await guardedMcp(`${server.url}/mcp`);
    const call = async (name: string) => {
      await (await guarded.send('carol', { body: ask('tools/call', { name, arguments: {} }) })).text();
      return server.reached.map(({ body }) => (JSON.parse(body) as { params: { name: unknown } }).params.name);
    };
    await call('weather');
    expect(await call('purge')).toEqual(['weather']);
    expect(await call('hidden')).toEqual(['weather']);
    expect(guarded.records.at(-1)).toMatchObject({ decision: 'deny', code: 'policy_denied' });
  });

  it('shows no task of others on a resumed stream [E5]', async () => {
    await using server = await scriptedServer((response, reached, request) => {
      if (request.method !== 'GET') return answersWith({}, { 'mcp-session-id': 's' })(response, reached, request);
      beginEvents(response);
      response.write('id: 5\ndata:\n\n');
      event(response, { jsonrpc: '2.0', id: 3, result: { tasks: [{ taskId: 'of-alice' }] } });
      return response.end();
    });
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const { session, lastEvent } = await streamOf(guarded);
    const resumed = await guarded.send('bob', { method: 'GET', headers: { ...session, 'last-event-id': lastEvent } });
    const [primed, answer] = (await resumed.text()).split('\n\n');
    expect([primed, answer]).toEqual([
      `id: ${lastEvent}\ndata:`,
      'data: {"jsonrpc":"2.0","id":3,"result":{"tasks":[]}}',
    ]);
    expect(server.reached.at(-1)?.headers['last-event-id']).toBe('5');
    for (const foreign of ['5', 'NQ', `${lastEvent}x`]) {
      const headers = { ...session, 'last-event-id': foreign };
      expect((await guarded.send('bob', { method: 'GET', headers })).status).toBe(400);
    }
  });

  it('resumes a stream by the id of an event in any characters [E7]', async () => {
    await using server = await scriptedServer((response, reached, request) => {
      if (request.method !== 'GET') return answersWith({}, { 'mcp-session-id': 's' })(response, reached, request);
      beginEvents(response);
      return response.end('id: ключ-€\ndata:\n\n');
    });
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const { session, lastEvent } = await streamOf(guarded);
    const resumed = await guarded.send('bob', { method: 'GET', headers: { ...session, 'last-event-id': lastEvent } });
    expect(resumed.status).toBe(200);
    await resumed.text();
    expect(Buffer.from(String(server.reached.at(-1)?.headers['last-event-id']), 'latin1').toString()).toBe('ключ-€');
  });

  it('resumes no stream outside of a session, which nobody could own [E7]', async () => {
    await using server = await scriptedServer(answersWith({}));
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    expect((await guarded.send('bob', { method: 'GET', headers: { 'last-event-id': '5' } })).status).toBe(400);
    expect(server.reached).toEqual([]);
  });

  it('passes no cancellation on outside of a session, which could be of the call of another [E7]', async () => {
    await using server = await scriptedServer(answersWith({}));
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    expect((await guarded.send('bob', { body })).status).toBe(400);
    expect(server.reached).toEqual([]);
  });

  it.each([
    [100, 200, []],
    [50_000, 502, { error: { code: -32603 } }],
  ])('drops a batch within a batch, %d deep [E2, E15]', async (depth, status, expected) => {
    const deep = '['.repeat(depth) + ']'.repeat(depth);
    await using server = await scriptedServer((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(deep);
    });
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const answer = await guarded.send('bob', { body: ask('tools/call', { name: 'echo', arguments: {} }) });
    expect([answer.status, await answer.json()]).toMatchObject([status, expected]);
  });

  it('opens a sealed state only where it belongs, not in the arguments [E7]', async () => {
    await using server = await scriptedServer(answersWith({ requestState: 'payroll', content: [] }));
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const body = ask('tools/call', { name: 'echo', arguments: {} });
    const first = (await (await guarded.send('bob', { body })).json()) as { result: { requestState: string } };
    const state = first.result.requestState;
    const escaped = `\\u00${state.charCodeAt(0).toString(16).padStart(2, '0')}${state.slice(1)}`;
    const retry = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","requestState":"${escaped}","arguments":{"x":"${state}"}}}`;
    expect(await (await guarded.send('bob', { body: retry })).json()).toMatchObject({ error: { code: -32602 } });
    expect(server.reached).toHaveLength(1);
  });

  it.each([
    ['declared', { tools: { echo: {} } }],
    ['undeclared', {}],
  ])('compares Mcp-Param-… from the first call on when tools are %s [E1]', async (_what, rules) => {
    const inputSchema = { type: 'object', properties: { dataset: { type: 'string', 'x-mcp-header': 'Dataset' } } };
    await using server = await scriptedServer((response, reached, request) => {
      const { method } = JSON.parse(reached.body) as { method: string };
      const tools = [{ name: 'echo', inputSchema, annotations: { readOnlyHint: true } }];
      return answersWith(method === 'tools/list' ? { tools } : { content: [] })(response, reached, request);
    });
    await using guarded = await guardedMcp(`${server.url}/mcp`, rules);
    const body = ask('tools/call', { name: 'echo', arguments: { dataset: 'payroll', note: 'orders' } });
    const send = (dataset: string) => guarded.send('carol', { body, headers: { 'mcp-param-dataset': dataset } });
    const answer = await send('orders');
    expect([answer.status, await answer.json()]).toMatchObject([400, { id: 1, error: { code: -32020 } }]);
    expect((await send('payroll')).status).toBe(200);
    expect(server.reached.filter((one) => one.body.includes('tools/call'))).toHaveLength(1);
  });

  it('takes a task that was announced to two callers from both [E7]', async () => {
    await using server = await scriptedServer(answersWith({ task: { taskId: '1' } }));
    await using guarded = await guardedMcp(`${server.url}/mcp`, { tools: { echo: {} } });
    const make = ask('tools/call', { name: 'echo', arguments: {} });
    for (const agent of ['bob', 'alice'] as const) await (await guarded.send(agent, { body: make })).text();
    for (const agent of ['bob', 'alice'] as const) {
      const answer = await guarded.send(agent, { body: ask('tasks/result', { taskId: '1' }) });
      expect(await answer.json()).toMatchObject({ error: { message: 'Task not found' } });
    }
    expect(server.reached).toHaveLength(2);
  });
});
