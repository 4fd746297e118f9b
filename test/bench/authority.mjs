// Tokens per second of an authority, on SQLite and on Postgres, and how long `countersign authority` takes to start.
// node test/bench/authority.mjs [--rounds N] [--json FILE]
import { fork, spawn } from 'node:child_process';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { startPostgres } from './authority/postgres.mjs';
import { toText } from './host/json.mjs';
import { machine } from './host/machine.mjs';
import { bestOfAuthority } from './report/authority.mjs';

const CONNECTIONS = 16;
const TOKENS = 600;
const id = 'agent-bench';
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, json: { type: 'string' } } });
const [agentKey, loginKey] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
const login = { issuer: 'https://login.acme.dev', audience: 'https://id.acme.dev', subjectNamespace: 'acme:' };
const jwks = { keys: [{ ...loginKey.publicKey.export({ format: 'jwk' }), kid: 'login' }] };
const agent = { id, jwk: agentKey.publicKey.export({ format: 'jwk' }), capabilities: ['repo:read'] };

/** The way to a token: a request, or two. `send` resolves to the answer. */
const WAYS = {
  client_credentials: (send, issuer) => send('/token', form(issuer, { grant_type: 'client_credentials' })),
  async challenge(send) {
    const { message } = JSON.parse(await send('/challenge', json({ agent_id: id })));
    const signature = sign(null, Buffer.from(message), agentKey.privateKey).toString('base64');
    return await send('/challenge/token', json({ agent_id: id, message: btoa(message), signature }));
  },
  exchange: (send, issuer) =>
    send(
      '/token',
      form(issuer, {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: userToken(),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    ),
};

// Beside the code: a folder for temporary files may be in memory, where a sync does nothing.
const folder = mkdtempSync(join(import.meta.dirname, 'authority-'));
const connections = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
let postgres;
try {
  postgres = await startPostgres(folder);
  if (postgres === undefined) console.error('Postgres is missing: `apt install postgresql` gives it. SQLite alone.');
  const stores = {
    sqlite: { sqlite: join(folder, 'authority.db') },
    ...(postgres !== undefined && { postgres: { postgres: postgres.connection } }),
  };
  const result = { machine: machine(), connections: CONNECTIONS, rounds: await measure(stores) };
  console.table(bestOfAuthority(result));
  if (values.json !== undefined) writeFileSync(values.json, toText(result, 'rounds'));
} finally {
  connections.destroy();
  await postgres?.stop();
  rmSync(folder, { recursive: true });
}

async function measure(stores) {
  const servers = await Promise.all(Object.entries(stores).map(([name, store]) => serve(name, store)));
  const rounds = [];
  // Rounds are interleaved, so that load affects all equally. The first warms up.
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    const taken = {};
    for (const server of servers) {
      taken[server.name] = {};
      for (const way of Object.keys(WAYS)) taken[server.name][way] = await load(server, WAYS[way]);
    }
    for (const [name, store] of Object.entries(stores)) taken[name].start = await startOnce(name, store);
    if (round > 0) rounds.push(taken);
  }
  for (const { child } of servers) {
    child.disconnect();
    await once(child, 'exit');
  }
  return rounds;
}

async function serve(name, store) {
  const setup = JSON.stringify({ ...store, agent, login: { ...login, jwks } });
  const child = fork(join(import.meta.dirname, 'authority/serve.mjs'), [setup]);
  const [issuer] = await once(child, 'message');
  return { name, child, issuer };
}

async function cpuOf({ child }) {
  child.send('cpu');
  const [micros] = await once(child, 'message');
  return micros;
}

/** Tokens per second, and CPU of the authority for one token in microseconds. */
async function load(server, way) {
  const send = (path, { type, body }) => post(`${server.issuer}${path}`, type, body);
  const [cpu, begun] = [await cpuOf(server), performance.now()];
  let left = TOKENS;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left > 0) {
        left -= 1;
        const answer = await way(send, server.issuer);
        if (JSON.parse(answer).access_token === undefined) throw new Error(`${server.name}: ${answer}`);
      }
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  return { perSecond: TOKENS / seconds, cpu: ((await cpuOf(server)) - cpu) / TOKENS };
}

async function post(url, type, body) {
  const sent = request(url, { method: 'POST', agent: connections, headers: { 'content-type': type } });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return text;
}

function form(issuer, parameters) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: id, sub: id, aud: issuer, iat: now, exp: now + 60, jti: randomUUID() };
  const client_assertion = jwt({}, claims, agentKey.privateKey);
  const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
  const body = new URLSearchParams({ client_id: id, client_assertion_type, client_assertion, ...parameters });
  return { type: 'application/x-www-form-urlencoded', body: body.toString() };
}

function json(value) {
  return { type: 'application/json', body: JSON.stringify(value) };
}

/** A token of the identity provider, for a user. */
function userToken() {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: login.issuer, sub: 'alice', aud: login.audience, scope: 'repo:read', iat: now, exp: now + 60 };
  return jwt({ typ: 'at+jwt', kid: 'login' }, claims, loginKey.privateKey);
}

function jwt(header, claims, key) {
  const parts = [{ alg: 'EdDSA', ...header }, claims];
  const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

/** Milliseconds from `spawn` until `countersign authority` says where it listens. */
async function startOnce(name, store) {
  const home = join(folder, `start-${name}`);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'secret'), 'secret-of-the-bench-0123456789-0123456789', { mode: 0o600 });
  const { user, host, port, database } = store.postgres ?? {};
  const member =
    store.postgres === undefined ? { sqlite: 'a.db' } : { postgres: `postgres://${user}@${host}:${port}/${database}` };
  const resources = [{ audience: 'https://api.acme.dev' }];
  const config = {
    issuer: 'http://127.0.0.1:8080',
    listen: '127.0.0.1:0',
    secretFile: 'secret',
    store: member,
    resources,
  };
  writeFileSync(join(home, 'authority.json'), JSON.stringify(config));
  const begun = performance.now();
  const binary = join(import.meta.dirname, '../../packages/cli/bin/countersign.js');
  const command = spawn(process.execPath, [binary, 'authority', '--config', join(home, 'authority.json')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(command, 'close');
  for await (const _line of createInterface({ input: command.stdout })) {
    const wall = performance.now() - begun;
    command.kill();
    await ended;
    return wall;
  }
  throw new Error(`${name}: it did not start`);
}
