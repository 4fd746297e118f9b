import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Guard } from '@countersign/core';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { expect, it, onTestFinished } from 'vitest';
import { authInfoOf, guardHandler, guardTools } from '../../src/index.js';
import { world } from '../world.js';

const revision = '2026-07-28';
const uri = 'test://host/open';

const listen = {
  jsonrpc: '2.0',
  id: 1,
  method: 'subscriptions/listen',
  params: {
    notifications: { resourceSubscriptions: [uri], resourcesListChanged: true },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': revision,
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
};

function serverOf(guard: Guard): McpServer {
  const capabilities = { tools: {}, resources: { subscribe: true, listChanged: true } };
  const caller = guard.local({ agent: 'alice' });
  return guardTools(new McpServer({ name: 'test', version: '1.0.0' }, { capabilities }), guard, { caller });
}

function notificationsOf(acknowledgement: string): unknown {
  return (JSON.parse(acknowledgement) as { params: { notifications: unknown } }).params.notifications;
}

/** What a handler says that it streams, when asked for one resource and for changes of the lists. */
async function acknowledged(isGuarded: boolean): Promise<unknown> {
  const { guard } = await world('http://127.0.0.1:9');
  const created = createMcpHandler(() => serverOf(guard));
  onTestFinished(() => created.close());
  const handler = isGuarded ? guardHandler(created, guard) : created;
  const request = new Request('http://127.0.0.1:9/mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': revision,
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify(listen),
  });
  const { body } = await handler.fetch(request, { authInfo: authInfoOf(guard.local({ agent: 'alice' })) });
  const reader = body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await reader?.cancel();
  const [, data = '{}'] = new TextDecoder().decode(value as Uint8Array).split('data: ');
  return notificationsOf(data);
}

it('A handler without guardHandler streams no resource, since nothing decided it [E12]', async () => {
  expect(await acknowledged(false)).toEqual({ resourcesListChanged: true });
});

it('A handler behind guardHandler streams the resources that policy permits', async () => {
  expect(await acknowledged(true)).toEqual({ resourceSubscriptions: [uri], resourcesListChanged: true });
});

it('A server on standard input streams no resource, since nothing decides there [E12]', async () => {
  const { guard } = await world('http://127.0.0.1:9');
  const [input, output] = [new PassThrough(), new PassThrough()];
  const served = serveStdio(() => serverOf(guard), { transport: new StdioServerTransport(input, output) });
  onTestFinished(() => served.close());
  input.write(`${JSON.stringify(listen)}\n`);
  const [acknowledgement] = (await once(output, 'data')) as [Buffer];
  expect(notificationsOf(acknowledgement.toString())).toEqual({ resourcesListChanged: true });
});
