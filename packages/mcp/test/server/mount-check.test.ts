import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { authInfoOf, guardHandler, guardTools } from '../../src/index.js';
import { world } from '../world.js';

const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

async function served(isGuarded: boolean, mode?: 'observe') {
  const { guard, troubles } = await world('http://127.0.0.1:9', mode);
  const create = createMcpHandler(() => {
    const server = new McpServer({ name: 'test', version: '1' });
    if (isGuarded) guardTools(server, guard);
    server.registerTool('echo', {}, async () => ({ content: [{ type: 'text', text: 'private' }] }));
    return server;
  });
  const handler = guardHandler(create, guard);
  async function ask(method: string, more: object = {}): Promise<readonly [number, string]> {
    const request = new Request('http://127.0.0.1:9/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...('name' in more && { 'mcp-name': String(more.name) }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...more, _meta } }),
    });
    const answer = await handler.fetch(request, { authInfo: authInfoOf(guard.local({ agent: 'alice' })) });
    return [answer.status, await answer.text()];
  }
  return { ask, troubles };
}

describe('guardHandler with servers that have no guardTools', () => {
  it('hands out nothing that they answer, and reports it once [G3]', async () => {
    const { ask, troubles } = await served(false);
    for (const [method, more] of [
      ['tools/call', { name: 'echo', arguments: {} }],
      ['tools/list', {}],
    ] as const) {
      const [status, text] = await ask(method, more);
      expect([method, status]).toEqual([method, 500]);
      expect(text).not.toContain('private');
      expect(text).not.toContain('echo');
    }
    expect(troubles).toEqual([expect.stringContaining('without guardTools')]);
  });

  it('lets them answer while the guard observes, and reports it', async () => {
    const { ask, troubles } = await served(false, 'observe');
    expect(await ask('tools/call', { name: 'echo', arguments: {} })).toEqual([200, expect.stringContaining('private')]);
    expect(troubles).toContainEqual(expect.stringContaining('without guardTools'));
  });

  it('has nothing to report if they are guarded', async () => {
    const { ask, troubles } = await served(true);
    expect(await ask('tools/call', { name: 'echo', arguments: {} })).toEqual([200, expect.stringContaining('private')]);
    expect(await ask('tools/list')).toEqual([200, expect.stringContaining('echo')]);
    expect(await ask('server/discover')).toEqual([200, expect.any(String)]);
    expect(troubles).toEqual([]);
  });
});
