// The cost of a guarded request, and the share of the audit log: the same request to a bare handler, behind the guard
// with its records in memory, and with each level of the log on disk, over keep-alive connections with real signatures.
// For comparison without a guard: two lines of pino for each request. Run it with `pnpm bench`, on a quiet machine and
// a real disk. Absolute numbers belong to the machine; the ratios carry over.
import { fork } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { agentsFromObjects, auditFile, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, permit } from '@countersign/node-http';
import { jwkThumbprint, nativeSigningKey, signMessage } from '@countersign/signature';
import { pino } from 'pino';

const ROUNDS = 3;
const MILLISECONDS = 1000;
/** More than any host answers in that time. */
const SIGNED = 8000;
const ORIGIN = 'http://127.0.0.1';
const HOST = '127.0.0.1';
const PATH = '/records/1';
const CONNECTIONS = [1, 16, 64];

const bare = (request, response) => response.writeHead(204).end();

const modes = {
  unguarded: () => bare,
  'unguarded, pino': (folder) => withPino({ dest: join(folder, 'pino.log'), sync: true }),
  'unguarded, pino with fsync': (folder) => withPino({ dest: join(folder, 'pino-fsync.log'), sync: true, fsync: true }),
  'guarded, in memory': (_folder, x) => guarded(memoryAudit(), x),
  'guarded, buffered': (folder, x) => guarded(auditFile(join(folder, 'buffered'), { durability: 'buffered' }), x),
  'guarded, group': (folder, x) => guarded(auditFile(join(folder, 'group'), { durability: 'group' }), x),
  'guarded, sync': (folder, x) => guarded(auditFile(join(folder, 'sync'), { durability: 'sync' }), x),
};

function withPino(destination) {
  const log = pino(pino.destination(destination));
  return (request, response) => {
    const id = randomUUID();
    log.info({ id, phase: 'decision', actor: 'agent-1', action: 'record.delete', resource: request.url });
    response.on('finish', () => log.info({ id, phase: 'outcome', status: response.statusCode }));
    bare(request, response);
  };
}

async function guarded(audit, x) {
  const guard = await createGuard({
    origin: ORIGIN,
    agents: agentsFromObjects([
      { id: 'agent-1', jwk: { kty: 'OKP', crv: 'Ed25519', x }, capabilities: ['record:delete'] },
    ]),
    policy: await cedarFromText({
      policies: `@id("deletions") permit(principal == Agent::"agent-1", action == Action::"record.delete", resource)
        when { context.scope.contains("record:delete") };`,
    }),
    audit,
  });
  const auth = agentAuth(guard);
  const mayDelete = permit('record.delete', (request) => ({ type: 'Record', id: request.url.slice(9) }));
  return async (request, response) => {
    if ((await auth(request, response)) && (await mayDelete(request, response))) bare(request, response);
  };
}

const [role, ...given] = process.argv.slice(2);
if (role === 'serve') await serve(...given);
else await measureAll();

async function serve(mode, folder, x) {
  const server = createServer(await modes[mode](folder, x));
  server.listen(0, HOST);
  await once(server, 'listening');
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  process.on('disconnect', () => process.exit());
  process.send(server.address().port);
}

async function measureAll() {
  // Beside the code: a folder for temporary files may be in memory, where a sync does nothing.
  const folder = mkdtempSync(join(import.meta.dirname, 'request-'));
  try {
    await measureIn(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureIn(folder) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' });
  const key = nativeSigningKey(privateKey, { keyId: jwkThumbprint(jwk) });
  const servers = await Promise.all(Object.keys(modes).map((mode) => start(mode, folder, jwk.x)));
  // A guard refuses signatures created in the second in which its process began.
  await setTimeout(1000);
  const first = await signedRequests(key);
  for (const server of servers) await load(server, first, 16);
  for (const connections of CONNECTIONS) {
    // Rounds are interleaved, so that load affects all equally; the best of each counts.
    const results = new Map(servers.map(({ mode }) => [mode, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      // Each server has its own replay store, so all can receive the same requests.
      const requests = await signedRequests(key);
      for (const server of servers) results.get(server.mode).push(await load(server, requests, connections));
    }
    print(connections, results);
  }
  for (const { child } of servers) {
    child.disconnect();
    await once(child, 'exit');
  }
}

async function start(mode, folder, x) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', mode, folder, x]);
  const [port] = await once(child, 'message');
  return { mode, child, port };
}

async function signedRequests(key) {
  const components = ['@method', '@authority', '@path', '@query'];
  const created = Math.floor(Date.now() / 1000);
  return await Promise.all(
    Array.from({ length: SIGNED }, async () => {
      const message = { method: 'DELETE', target: PATH, scheme: 'http', authority: HOST, rawFields: ['Host', HOST] };
      const parameters = { created, nonce: randomUUID(), tag: 'countersign' };
      const { signatureInput, signature } = await signMessage(message, { key, components, parameters });
      const fields = [`Host: ${HOST}`, `Signature-Input: ${signatureInput}`, `Signature: ${signature}`];
      return [`DELETE ${PATH} HTTP/1.1`, ...fields, '', ''].join('\r\n');
    }),
  );
}

async function cpuOf({ child }) {
  child.send('cpu');
  const [micros] = await once(child, 'message');
  return micros;
}

/** Sends one request after the other on each connection until the time ends. */
async function load(server, requests, connections) {
  const waits = [];
  let count = 0;
  const next = () => {
    // Without a guard a request may be sent twice.
    if (count >= SIGNED && server.mode.startsWith('guarded')) throw new Error(`${server.mode}: sign more requests`);
    return requests[count++ % SIGNED];
  };
  const cpu = await cpuOf(server);
  const begun = performance.now();
  const end = begun + MILLISECONDS;
  await Promise.all(Array.from({ length: connections }, () => sendOn(server, next, waits, end)));
  const seconds = (performance.now() - begun) / 1000;
  const micros = (await cpuOf(server)) - cpu;
  waits.sort((one, other) => one - other);
  const at = (share) => waits[Math.floor(waits.length * share)];
  return { perSecond: waits.length / seconds, micros: micros / waits.length, p50: at(0.5), p99: at(0.99) };
}

async function sendOn({ port, mode }, next, waits, end) {
  const socket = connect({ host: HOST, port, noDelay: true }).setEncoding('latin1');
  await once(socket, 'connect');
  while (performance.now() < end) {
    const sent = performance.now();
    socket.write(next());
    // It has no body, so it arrives in one piece.
    const [answer] = await once(socket, 'data');
    waits.push(performance.now() - sent);
    if (!answer.startsWith('HTTP/1.1 204 ')) throw new Error(`${mode}: ${answer}`);
  }
  socket.destroy();
}

function print(connections, results) {
  const best = [...results].map(([mode, rounds]) => {
    const least = (name) => Math.min(...rounds.map((round) => round[name]));
    const perSecond = Math.max(...rounds.map((round) => round.perSecond));
    return { mode, perSecond, micros: least('micros'), p50: least('p50'), p99: least('p99') };
  });
  const [unguarded] = best;
  const inMemory = best.find(({ mode }) => mode === 'guarded, in memory');
  console.log(`\n${connections} connection${connections === 1 ? '' : 's'}, best of ${ROUNDS}`);
  console.table(
    best.map(({ mode, perSecond, micros, p50, p99 }) => ({
      handler: mode,
      'requests/s': Math.round(perSecond),
      'p50 ms': p50.toFixed(2),
      'p99 ms': p99.toFixed(2),
      'CPU µs/request': Math.round(micros),
      'CPU to unguarded': (micros / unguarded.micros).toFixed(2),
      'CPU to guarded, in memory': mode.startsWith('guarded') ? (micros / inMemory.micros).toFixed(2) : '',
      'requests/s to guarded, in memory': mode.startsWith('guarded') ? (perSecond / inMemory.perSecond).toFixed(2) : '',
    })),
  );
}
