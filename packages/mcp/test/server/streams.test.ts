import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { authInfoOf, guardHandler, guardTools } from '../../src/index.js';
import { world } from '../world.js';

const revision = '2026-07-28';
const uri = 'test://host/open';

/** What a handler says that it streams, when asked for one resource and for changes of the lists. */
async function acknowledged(isGuarded: boolean): Promise<unknown> {
  const { guard } = await world('http://127.0.0.1:9');
  const create = () => {
    const capabilities = { tools: {}, resources: { subscribe: true, listChanged: true } };
    return guardTools(new McpServer({ name: 'test', version: '1.0.0' }, { capabilities }), guard);
  };
  const created = createMcpHandler(create);
  onTestFinished(() => created.close());
  const handler = isGuarded ? guardHandler(created, guard) : created;
  const params = {
    notifications: { resourceSubscriptions: [uri], resourcesListChanged: true },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': revision,
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  };
  const request = new Request('http://127.0.0.1:9/mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': revision,
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }),
  });
  const { body } = await handler.fetch(request, { authInfo: authInfoOf(guard.local({ agent: 'alice' })) });
  const reader = body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await reader?.cancel();
  const [, data = '{}'] = new TextDecoder().decode(value as Uint8Array).split('data: ');
  return (JSON.parse(data) as { params: { notifications: unknown } }).params.notifications;
}

it('A handler without guardHandler streams no resource, since nothing decided it [E12]', async () => {
  expect(await acknowledged(false)).toEqual({ resourcesListChanged: true });
});

it('A handler behind guardHandler streams the resources that policy permits', async () => {
  expect(await acknowledged(true)).toEqual({ resourceSubscriptions: [uri], resourcesListChanged: true });
});
