// Runs the official conformance suite of MCP against a server that is running, without the guard and behind it, and
// compares the counts: node scripts/mcp-conformance.mjs --url http://127.0.0.1:3000/mcp [--spec-version 2025-11-25]
// The suite cannot sign, so a front signs what it sends. Build first.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as requestHttp } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { createAgent, generateAgentKey } from '../packages/agent/dist/index.js';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '../packages/core/dist/index.js';
import { admit } from '../packages/core/dist/adapter/index.js';
import { guardMcpHttp, mcpSchema } from '../packages/mcp/dist/index.js';

const suite = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
/** The suite needs a newer Node than we do. The package carries the binary. */
const runtime = `node-${process.platform}-${process.arch}`;
const cache = fileURLToPath(new URL('../node_modules/.cache/mcp-conformance', import.meta.url));

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    'spec-version': { type: 'string', default: '2025-11-25' },
  },
});
const { url, 'spec-version': version } = values;
if (url === undefined) throw new Error('--url is missing: the endpoint of a running MCP server');

const run = promisify(execFile);

async function install() {
  if (existsSync(join(cache, 'node_modules', runtime))) return;
  await run('npm', ['install', '--prefix', cache, '--no-save', '--no-audit', '--no-fund', suite, `${runtime}@22`], {
    maxBuffer: 1e8,
  });
}

/** The scenarios with how many checks passed and failed, and the sums. */
async function conformance(endpoint) {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-conformance-'));
  try {
    const node = join(cache, 'node_modules', runtime, 'bin/node');
    const program = join(cache, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
    const args = [program, 'server', '--url', endpoint, '--spec-version', version, '--output-dir', folder];
    // It fails when a check fails; the counts say which.
    const { stdout } = await run(node, args, { maxBuffer: 1e8 }).catch((error) => error);
    const scenarios = [...String(stdout).matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed/gm)].map(
      ([, name, passed, failed]) => ({ name, passed: Number(passed), failed: Number(failed) }),
    );
    if (scenarios.length === 0) throw new Error(`no counts in: ${stdout}`);
    return scenarios;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

/** The server behind a guard that permits everything, so that only the guard itself can make a difference. */
async function guarded() {
  const key = generateAgentKey();
  const proxy = createServer();
  const origin = await listen(proxy);
  const audit = memoryAudit();
  const guard = await createGuard({
    origin,
    agents: agentsFromObjects([key.registration('conformance', [])]),
    policy: await cedarFromText({ policies: 'permit (principal, action, resource);', schema: mcpSchema }),
    audit,
  });
  const mcp = guardMcpHttp(url);
  proxy.on('request', async (request, response) => {
    if (await admit(() => guard, { request, response, target: request.url })) await mcp(request, response);
  });
  const front = createServer((request, response) => void signOn(request, response));
  const agent = await createAgent({ id: 'conformance', key });

  /** Signs for the host that the client names: a client that names another one is refused, as it would be. */
  async function signOn(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, headers } = request;
    const { connection: _connection, 'content-length': _length, 'transfer-encoding': _coding, host, ...kept } = headers;
    const named = host === new URL(await address).host ? new URL(origin).host : host;
    const signed = await agent.signRequest({
      method,
      url: `http://${named}${request.url}`,
      headers: kept,
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const sent = requestHttp(`${origin}${request.url}`, { method, headers: { ...signed.headers, host: named } });
    sent.on('error', () => response.destroy());
    response.on('close', () => sent.destroy());
    sent.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    sent.end(Buffer.concat(chunks));
  }

  const address = listen(front);
  return {
    endpoint: `${await address}${new URL(url).pathname}`,
    calls: () => new Set(audit.records.flatMap(({ call }) => call?.id ?? [])).size,
    async close() {
      for (const server of [front, proxy]) {
        server.closeAllConnections();
        server.close();
      }
      await guard.close();
    },
  };
}

function sum(scenarios) {
  const total = (count) => scenarios.reduce((all, scenario) => all + scenario[count], 0);
  return `${total('passed')} passed, ${total('failed')} failed, ${scenarios.length} scenarios`;
}

await install();
const without = await conformance(url);
const guard = await guarded();
try {
  const behind = await conformance(guard.endpoint);
  console.log(`${version} without the guard: ${sum(without)}`);
  console.log(`${version} behind the guard:  ${sum(behind)}; ${guard.calls()} calls decided or recorded`);
  const differing = without.filter(
    ({ name, passed, failed }) =>
      !behind.some((other) => other.name === name && other.passed === passed && other.failed === failed),
  );
  for (const { name, passed, failed } of differing) {
    const other = behind.find((scenario) => scenario.name === name);
    console.log(`${name}: ${passed}/${failed} without, ${other?.passed}/${other?.failed} behind`);
  }
  process.exitCode = differing.length === 0 ? 0 : 1;
} finally {
  await guard.close();
}
