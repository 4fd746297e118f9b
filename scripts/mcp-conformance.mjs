// Runs the official conformance suite of MCP against a server, without the guard and with it, and compares the counts.
// node scripts/mcp-conformance.mjs [--spec-version 2025-11-25] --url http://127.0.0.1:3000/mcp
//   a server that is running: without, and behind guardMcpHttp
// node scripts/mcp-conformance.mjs [--spec-version 2025-11-25] -- node --import tsx everything-server.ts
//   a program of Node that serves /mcp on $PORT: without, with guardTools in it, and behind guardMcpHttp
// The suite cannot sign, so a front signs what it sends. Build first.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, request as requestHttp } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { createAgent, generateAgentKey } from '../packages/agent/dist/index.js';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '../packages/core/dist/index.js';
import { admitter } from '../packages/core/dist/adapter/index.js';
import { guardMcpHttp, mcpSchema } from '../packages/mcp/dist/index.js';

const suite = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
/** The suite needs a newer Node than we do. The package carries the binary. */
const runtime = `node-${process.platform}-${process.arch}`;
const cache = fileURLToPath(new URL('../node_modules/.cache/mcp-conformance', import.meta.url));

const { values, positionals } = parseArgs({
  options: {
    url: { type: 'string' },
    'spec-version': { type: 'string', default: '2025-11-25' },
  },
  allowPositionals: true,
});
const { 'spec-version': version } = values;
if ((values.url === undefined) === (positionals.length === 0)) {
  throw new Error('say which server: --url URL of one that is running, or -- COMMAND of one to start');
}

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

const permitAll = 'permit (principal, action, resource);';

/** A server of ours that signs what it gets, for a guarded server of this origin. */
async function signingFront(origin, key) {
  const agent = await createAgent({ id: 'conformance', key });
  const front = createServer((request, response) => void signOn(request, response));
  const address = await listen(front);

  /** Signs for the host that the client names: a client that names another one is refused, as it would be. */
  async function signOn(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, headers } = request;
    const { connection: _connection, 'content-length': _length, 'transfer-encoding': _coding, host, ...kept } = headers;
    const named = host === new URL(address).host ? new URL(origin).host : host;
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

  return { address, close: () => closeServer(front) };
}

function closeServer(server) {
  server.closeAllConnections();
  server.close();
}

function callsIn(records) {
  return new Set(records.flatMap(({ call }) => call?.id ?? [])).size;
}

/** The server behind guardMcpHttp, with a policy that permits all: only the guard itself can make a difference. */
async function behindTheGuard(url) {
  const key = generateAgentKey();
  const proxy = createServer();
  const origin = await listen(proxy);
  const audit = memoryAudit();
  const guard = await createGuard({
    origin,
    agents: agentsFromObjects([key.registration('conformance', [])]),
    policy: await cedarFromText({ policies: permitAll, schema: mcpSchema }),
    audit,
  });
  const admit = admitter(guard);
  const mcp = guardMcpHttp(url);
  proxy.on('request', async (request, response) => {
    if (await admit({ request, response, target: request.url })) await mcp(request, response);
  });
  const front = await signingFront(origin, key);
  return {
    endpoint: `${front.address}${new URL(url).pathname}`,
    calls: async () => callsIn(audit.records),
    async close() {
      front.close();
      closeServer(proxy);
      await guard.close();
    },
  };
}

/** Starts the program, with `env` besides. */
async function started(env) {
  const port = await freePort();
  const [command, ...args] = positionals;
  const child = spawn(command, args, { env: { ...process.env, PORT: String(port), ...env(port) }, stdio: 'ignore' });
  const origin = `http://127.0.0.1:${port}`;
  for (let tries = 0; !(await answers(`${origin}/mcp`)); tries += 1) {
    if (tries === 100 || child.exitCode !== null)
      throw new Error(`${positionals.join(' ')} does not serve /mcp on $PORT`);
    await setTimeout(200);
  }
  return {
    origin,
    async close() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

async function answers(url) {
  return await fetch(url, { method: 'DELETE' }).then(
    () => true,
    () => false,
  );
}

async function freePort() {
  const server = createServer();
  const { port } = new URL(await listen(server));
  server.close();
  await once(server, 'close');
  return Number(port);
}

/** The program with guardTools in it, and a policy that permits all. */
async function withTheHook() {
  const key = generateAgentKey();
  const audit = await mkdtemp(join(tmpdir(), 'countersign-conformance-'));
  const hook = new URL('mcp-conformance-hook.mjs', import.meta.url).href;
  const server = await started((port) => ({
    NODE_OPTIONS: `--import ${hook}`,
    COUNTERSIGN_HOOK: JSON.stringify({
      origin: `http://127.0.0.1:${port}`,
      agents: [key.registration('conformance', [])],
      audit,
    }),
  }));
  const front = await signingFront(server.origin, key);
  return {
    endpoint: `${front.address}/mcp`,
    async calls() {
      await server.close();
      const files = (await readdir(audit)).filter((name) => name.endsWith('.jsonl'));
      const texts = await Promise.all(files.map((name) => readFile(join(audit, name), 'utf8')));
      return callsIn(texts.flatMap((text) => text.trimEnd().split('\n')).map((line) => JSON.parse(line)));
    },
    async close() {
      front.close();
      await server.close();
      await rm(audit, { recursive: true });
    },
  };
}

function sum(scenarios) {
  const total = (count) => scenarios.reduce((all, scenario) => all + scenario[count], 0);
  return `${total('passed')} passed, ${total('failed')} failed, ${scenarios.length} scenarios`;
}

/** Runs the suite with a guard, and says where it differs from the run without. */
async function compare(name, guard, without) {
  try {
    const scenarios = await conformance(guard.endpoint);
    console.log(`${version} ${name}: ${sum(scenarios)}; ${await guard.calls()} calls decided or recorded`);
    for (const { name: scenario, passed, failed } of without) {
      const other = scenarios.find((one) => one.name === scenario);
      if (other?.passed === passed && other.failed === failed) continue;
      console.log(`${scenario}: ${passed}/${failed} without, ${other?.passed}/${other?.failed} ${name}`);
      process.exitCode = 1;
    }
  } finally {
    await guard.close();
  }
}

await install();
const server = values.url === undefined ? await started(() => ({})) : undefined;
try {
  const url = values.url ?? `${server.origin}/mcp`;
  const without = await conformance(url);
  console.log(`${version} without the guard: ${sum(without)}`);
  if (server !== undefined) await compare('with guardTools', await withTheHook(), without);
  await compare('behind guardMcpHttp', await behindTheGuard(url), without);
} finally {
  await server?.close();
}
