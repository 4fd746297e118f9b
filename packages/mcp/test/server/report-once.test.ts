import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { expect, it, onTestFinished } from 'vitest';
import { register } from '../tools.js';
import { guardTools } from '../../src/index.js';
import { world } from '../world.js';

it('a server that is mounted without agentAuth serves nobody, and says so once', async () => {
  const { guard, troubles } = await world('http://127.0.0.1:9');
  const ran: string[] = [];
  const http = createServer((request, response) => {
    void (async () => {
      const server = new McpServer({ name: 'test', version: '1' });
      register(server, ran, () => guardTools(server, guard));
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
      await server.connect(transport);
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
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'early', arguments: {} } };
  for (let sent = 0; sent < 3; sent += 1) {
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(call) });
    expect(await answer.json()).toMatchObject({ error: { code: -32001 } });
  }
  expect(ran).toEqual([]);
  expect(troubles).toEqual([expect.stringContaining('mount agentAuth and mcpBridge before it')]);
});
