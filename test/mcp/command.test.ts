import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createAgent, loadAgentKey } from '@countersign/agent';
import { cedarFromDirectory } from '@countersign/core';
import { expect, it, onTestFinished } from 'vitest';
import { auditRecords } from '../support/audit-log.js';
import { keyNamed } from '../support/keys.js';
import { event, scriptedServer, type Script } from './support/scripted-server.js';

const program = fileURLToPath(new URL('../../packages/cli/bin/countersign.js', import.meta.url));
const stdioServer = join(import.meta.dirname, 'support/stdio-server.mjs');

const tools = [
  { name: 'list-invoices', inputSchema: {}, annotations: { readOnlyHint: true } },
  { name: 'draft "x"\n// y', inputSchema: {}, annotations: { destructiveHint: false } },
  { name: 'delete', inputSchema: {} },
];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'countersign-mcp-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

interface Run {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
  readonly errors: () => string;
  /** Resolves to the exit code. */
  ended(): Promise<number | null>;
}

function countersign(...args: readonly string[]): Run {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = once(child, 'close');
  return {
    child,
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    errors: () => errors,
    ended: async () => ((await ended) as [number | null])[0],
  };
}

/** A server over HTTP that pages its tools, and calls them. */
const paged: Script = (response, { body }) => {
  const { id, method, params } = JSON.parse(body) as {
    id?: unknown;
    method: string;
    params?: { cursor?: string; name?: string };
  };
  if (id === undefined) return response.writeHead(202).end();
  const page = Number(params?.cursor ?? 0);
  const next = page + 1 < tools.length ? { nextCursor: String(page + 1) } : {};
  const results: Record<string, object> = {
    initialize: { protocolVersion: '2025-11-25', capabilities: {} },
    'tools/list': { tools: tools.slice(page, page + 1), ...next },
    'tools/call': { content: [{ type: 'text', text: `called ${params?.name}` }] },
  };
  response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': 's' });
  event(response, { jsonrpc: '2.0', id, result: results[method] ?? {} });
  return response.end();
};

async function initialised(url: string): Promise<string> {
  const guard = join(folder(), 'guard');
  const run = countersign('mcp', 'init', guard, '--from', url);
  expect([await run.ended(), run.errors()]).toEqual([
    0,
    expect.stringMatching(/3 tools: 1 permitted[^]+--guard .+ --url http/),
  ]);
  return guard;
}

it('countersign mcp init writes a folder that loads, passes its own cases, and closes what may change things', async () => {
  await using server = await scriptedServer(paged);
  const guard = await initialised(`${server.url}/mcp`);
  const policies = join(guard, 'policies');
  expect(readFileSync(join(policies, 'policies.cedar'), 'utf8')).toContain('//   "list-invoices"\n@id("read")');
  const { close } = await cedarFromDirectory(policies);
  close();
  expect(Object.keys((JSON.parse(readFileSync(join(guard, 'tools.json'), 'utf8')) as { tools: object }).tools)).toEqual(
    tools.map(({ name }) => name),
  );
  const tested = countersign('policy', 'test', policies);
  expect(await tested.ended()).toBe(0);
  const again = countersign('mcp', 'init', guard, '--from', server.url);
  expect([await again.ended(), again.errors()]).toEqual([2, expect.stringContaining('not empty')]);
});

/** A server of revision 2026-07-28 only. */
const withoutSessions: Script = (response, { body, headers }) => {
  const { id, method, params } = JSON.parse(body) as { id?: unknown; method: string; params?: { _meta?: object } };
  const isRight =
    method === 'tools/list' &&
    headers['mcp-method'] === method &&
    headers['mcp-protocol-version'] === '2026-07-28' &&
    Reflect.get(params?._meta ?? {}, 'io.modelcontextprotocol/protocolVersion') === '2026-07-28';
  const error = { code: -32022, message: 'Unsupported protocol version' };
  response.writeHead(isRight ? 200 : 400, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, ...(isRight ? { result: { tools } } : { error }) }));
};

it('countersign mcp init asks a server that knows only the revision 2026-07-28', async () => {
  await using server = await scriptedServer(withoutSessions);
  const guard = await initialised(server.url);
  expect(readFileSync(join(guard, 'tools.json'), 'utf8')).toContain('list-invoices');
});

it('countersign mcp --url with --issuer says where tokens come from', async () => {
  await using server = await scriptedServer(paged);
  const guard = await initialised(`${server.url}/mcp`);
  writeFileSync(join(guard, 'tools.json'), '{"tools":{"delete":{"requires":"records:delete"}}}');
  const issuer = 'https://id.acme.dev';
  const at = ['--url', `${server.url}/mcp`, '--listen', '127.0.0.1:0', '--issuer', issuer, '--bearer'];
  const run = countersign('mcp', '--guard', guard, ...at);
  const { url } = JSON.parse(String((await run.lines.next()).value)) as { url: string };
  const refused = await fetch(url, { method: 'POST', body: '{}' });
  const [, metadata = ''] = /resource_metadata="([^"]*)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
  expect([refused.status, metadata]).toEqual([401, url.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')]);
  const document = await fetch(metadata);
  expect([document.status, document.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
  expect(await document.json()).toEqual({
    resource: url,
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    scopes_supported: ['records:delete'],
  });
  expect(server.reached.filter(({ method }) => method === 'GET')).toEqual([]);
  run.child.kill('SIGTERM');
  expect(await run.ended()).toBe(0);
});

it('countersign mcp init says what is wrong with a server', async () => {
  await using server = await scriptedServer((response) => response.writeHead(401).end());
  const refused = countersign('mcp', 'init', join(folder(), 'guard'), '--from', server.url);
  expect([await refused.ended(), refused.errors()]).toEqual([1, expect.stringContaining('answered 401')]);
  const ended = countersign('mcp', 'init', join(folder(), 'guard'), '--', process.execPath, '-e', '');
  expect([await ended.ended(), ended.errors()]).toEqual([1, expect.stringMatching(/ended without an answer: .*\n$/)]);
});

it('countersign mcp -- COMMAND guards a server over standard input, and passes its exit code on', async () => {
  const home = folder();
  const guard = join(home, 'guard');
  const command = [process.execPath, stdioServer, join(home, 'reached')];
  const made = countersign('mcp', 'init', guard, '--', ...command);
  expect([await made.ended(), made.errors()]).toEqual([0, expect.stringContaining('3 tools: 0 permitted')]);
  const permit =
    'permit (principal == Agent::"desktop", action, resource == Tool::"echo") when { context.possession == "local" };';
  writeFileSync(join(guard, 'policies/own.cedar'), permit);
  const run = countersign('mcp', '--guard', guard, '--as', 'desktop', '--for', 'alice', '--', ...command);
  const ask = async (method: string, params: object): Promise<unknown> => {
    run.child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id: method, method, params })}\n`);
    for (;;) {
      const message = JSON.parse(String((await run.lines.next()).value)) as { id?: unknown };
      if (message.id === method) return message;
    }
  };
  expect(await ask('tools/list', {})).toMatchObject({ result: { tools: [{ name: 'echo' }] } });
  expect(await ask('tools/call', { name: 'echo' })).toMatchObject({ result: { content: [{ text: 'echo' }] } });
  expect(await ask('tools/call', { name: 'delete' })).toMatchObject({ error: { code: -32602 } });
  run.child.stdin?.write(
    `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { exit: 7 } } })}\n`,
  );
  expect(await run.ended()).toBe(7);
  expect(JSON.stringify(auditRecords(join(guard, 'audit')))).toContain('"subject":{"id":"alice"');
});

it('countersign mcp --observe runs every call, and prints what would be refused', async () => {
  const home = folder();
  const guard = join(home, 'guard');
  const command = [process.execPath, stdioServer, join(home, 'reached')];
  const made = countersign('mcp', 'init', guard, '--', ...command);
  expect(await made.ended()).toBe(0);
  const run = countersign('mcp', '--guard', guard, '--as', 'desktop', '--for', 'alice', '--observe', '--', ...command);
  const ask = async (method: string, params: object): Promise<unknown> => {
    run.child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id: method, method, params })}\n`);
    for (;;) {
      const message = JSON.parse(String((await run.lines.next()).value)) as { id?: unknown };
      if (message.id === method) return message;
    }
  };
  expect(await ask('tools/list', {})).toMatchObject({
    result: { tools: [{ name: 'echo' }, { name: 'secret' }, { name: 'delete' }] },
  });
  expect(await ask('tools/call', { name: 'delete' })).toMatchObject({ result: { content: [{ text: 'delete' }] } });
  run.child.stdin?.end();
  expect(await run.ended()).toBe(0);
  expect(run.errors()).toContain("mode is 'observe'");
  expect(run.errors()).toContain('would refuse tools/list 3 of 3 for desktop for alice: policy_denied;');
  expect(run.errors()).toContain(
    'would refuse tools/call delete for desktop for alice: policy_denied; permit(principal == Agent::"desktop", action == Action::"tool.call", resource == Tool::"delete");\n',
  );
});

it('countersign mcp --url guards a server over HTTP until it is stopped', async () => {
  await using server = await scriptedServer(paged);
  const guard = await initialised(`${server.url}/mcp`);
  const key = keyNamed('agent-a');
  const agents = [{ id: 'agent-a', publicKey: key.publicBase64, capabilities: [] }];
  writeFileSync(join(guard, 'agents.json'), JSON.stringify(agents));
  const run = countersign('mcp', '--guard', guard, '--url', `${server.url}/mcp`, '--listen', '127.0.0.1:0');
  const { url } = JSON.parse(String((await run.lines.next()).value)) as { url: string };
  const pem = key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const agent = await createAgent({ id: 'agent-a', key: loadAgentKey(pem) });
  const call = async (name: string): Promise<string> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } });
    const answer = await agent.fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return await answer.text();
  };
  expect(await call('list-invoices')).toContain('called list-invoices');
  expect(await call('delete')).toContain('Tool delete not found');
  expect((await agent.fetch(new URL('/other', url))).status).toBe(404);
  expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401);
  run.child.kill('SIGTERM');
  expect(await run.ended()).toBe(0);
});

it.each([
  [['--guard', 'missing', '--as', 'a', '--', 'node'], 2, 'begin with countersign mcp init'],
  [['--as', 'a'], 2, 'Say which server'],
  [['--url', 'http://localhost/', '--bearer'], 2, '--bearer needs an --issuer'],
  [['--url', 'http://localhost/', '--', 'node'], 2, 'Say which server'],
  [['--', 'node'], 2, '--as is missing'],
  [['init', 'x'], 2, 'Say which server'],
] as const)('countersign mcp %j says what is wrong', async (args, code, message) => {
  const run = countersign('mcp', ...args);
  expect([await run.ended(), run.errors()]).toEqual([code, expect.stringContaining(message)]);
});
