import { expect, it } from 'vitest';
import { guardedMcp } from './support/guarded-mcp.js';
import { scriptedServer } from './support/scripted-server.js';

const tools = ['echo', 'secret'].map((name) => ({ name, inputSchema: {} }));

it('guardMcpHttp with a guard that observes runs calls of verified callers, and lists everything', async () => {
  await using server = await scriptedServer((response, { body }) => {
    const { id, method } = JSON.parse(body) as { readonly id: unknown; readonly method: string };
    const result = method === 'tools/list' ? { tools } : { content: [{ type: 'text', text: 'ran' }] };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  await using guarded = await guardedMcp(`${server.url}/mcp`, {}, { mode: 'observe' });
  const ask = async (method: string, params: object): Promise<unknown> => {
    const response = await guarded.send('bob', { body: { jsonrpc: '2.0', id: 1, method, params } });
    return await response.json();
  };
  expect(await ask('tools/list', {})).toMatchObject({ result: { tools } });
  expect(await ask('tools/call', { name: 'secret', arguments: {} })).toMatchObject({
    result: { content: [{ text: 'ran' }] },
  });
  expect(await ask('unheard/of', {})).toMatchObject({ result: {} });
  await guarded.outcomes(3);
  const refused = guarded.records.filter(({ decision }) => decision === 'would_refuse');
  expect(refused).toMatchObject([
    { action: 'tool.list', filtered: { asked: 2, permitted: 1 } },
    { code: 'policy_denied', call: { name: 'secret' }, actor: { id: 'bob' } },
    { code: 'route_unmapped', call: { method: 'unheard/of' } },
  ]);
});

it('guardMcpHttp with a guard that observes passes no unverified request on with its own credentials', async () => {
  await using server = await scriptedServer((response) => response.writeHead(200).end());
  await using guarded = await guardedMcp(`${server.url}/mcp`, {}, { mode: 'observe' });
  const answer = await fetch(guarded.url, { method: 'POST', body: '{}' });
  expect([answer.status, server.reached]).toEqual([401, []]);
});
