// What a decided tool call costs, and a list of 500 tools for one caller, beside the same server without a guard.
// node test/bench/mcp.mjs [--rounds N] [--json FILE]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { toText } from './host/json.mjs';
import { machine } from './host/machine.mjs';
import { bestOfMcp } from './report/mcp.mjs';

const MODES = ['bare', 'verified', 'guardTools', 'guardMcpHttp'];
const CONNECTIONS = 8;
const WORK = {
  call: { tools: 10, method: 'tools/call', params: { name: 'tool_0', arguments: { dataset: 'billing' } }, count: 1000 },
  list: { tools: 500, method: 'tools/list', params: {}, count: 60 },
};
const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, json: { type: 'string' } } });
const key = generateAgentKey();
const agent = await createAgent({ id: 'bench', key });
// Beside the code: a folder for temporary files may be in memory, where a sync does nothing.
const folder = mkdtempSync(join(import.meta.dirname, 'mcp-'));
const connections = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
try {
  const result = { machine: machine(), rounds: await measure() };
  console.table(bestOfMcp(result));
  if (values.json !== undefined) writeFileSync(values.json, toText(result, 'rounds'));
} finally {
  connections.destroy();
  rmSync(folder, { recursive: true });
}

async function measure() {
  const servers = [];
  for (const [name, work] of Object.entries(WORK)) {
    for (const mode of MODES) servers.push({ name, mode, work, ...(await start(mode, work.tools)) });
  }
  // A guard refuses signatures created in the second in which its process began.
  await setTimeout(1000);
  const rounds = [];
  // Rounds are interleaved, so that load affects all equally. The first warms up.
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    const taken = {};
    for (const server of servers) (taken[server.name] ??= {})[server.mode] = await load(server);
    if (round > 0) rounds.push(taken);
  }
  for (const { child } of servers) {
    child.disconnect();
    await once(child, 'exit');
  }
  return rounds;
}

async function start(mode, tools) {
  const registration = JSON.stringify(key.registration('bench', []));
  const child = fork(join(import.meta.dirname, 'mcp/serve.mjs'), [mode, String(tools), folder, registration]);
  const [origin] = await once(child, 'message');
  return { child, url: `${origin}/mcp` };
}

async function cpuOf({ child }) {
  child.send('cpu');
  const [micros] = await once(child, 'message');
  return micros;
}

/** CPU of the server for one request, and the wait of the client, in microseconds. */
async function load(server) {
  const { work, mode } = server;
  const requests = await Promise.all(Array.from({ length: work.count }, (_, id) => requestOf(server, id)));
  const waits = [];
  const cpu = await cpuOf(server);
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (let one = requests.pop(); one !== undefined; one = requests.pop()) {
        const sent = performance.now();
        checkAnswer(await send(server.url, one), work, mode);
        waits.push(performance.now() - sent);
      }
    }),
  );
  const micros = (await cpuOf(server)) - cpu;
  waits.sort((one, other) => one - other);
  return { cpu: micros / work.count, p50: 1000 * waits[Math.floor(waits.length / 2)] };
}

async function requestOf({ url, mode, work }, id) {
  const { method, params } = work;
  const body = JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } });
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(params.name !== undefined && { 'mcp-name': params.name }),
  };
  if (mode === 'bare') return { headers, body };
  return { headers: (await agent.signRequest({ method: 'POST', url, headers, body })).headers, body };
}

async function send(url, { headers, body }) {
  const sent = request(url, { method: 'POST', agent: connections, headers });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return text;
}

function checkAnswer(text, { method, tools }, mode) {
  const { result } = JSON.parse(text.startsWith('{') ? text : text.slice(text.indexOf('data: ') + 6));
  const shown = mode === 'bare' || mode === 'verified' ? tools : tools / 2;
  const isRight = method === 'tools/call' ? result?.content?.[0]?.text === 'billing' : result?.tools?.length === shown;
  if (!isRight) throw new Error(`${mode}: ${text.slice(0, 300)}`);
}
