// The cost of a large upload behind a guard, on every host: memory, and time as a ratio to the same upload without a
// guard plus one SHA-256 over it. Run it with `pnpm bench`, on a quiet machine.
import { fork } from 'node:child_process';
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { agentsFromObjects, createGuard, memoryAudit } from '@countersign/core';
import { jwkThumbprint, nativeSigningKey, signMessage } from '@countersign/signature';

const MEGABYTES = 100;
const ROUNDS = 5;
const ORIGIN = 'https://api.example.com';
const MODES = ['unguarded', 'spooled', 'streamed'];
const block = Buffer.alloc(1_000_000, 'upload');

/** A handler that reads the body as a stream and counts. */
async function count(request) {
  let length = 0;
  for await (const chunk of request) length += chunk.length;
  return String(length);
}

const hosts = {
  async 'node-http'(guard, options) {
    const { agentAuth } = await import('@countersign/node-http');
    const auth = guard && agentAuth(guard, options);
    return async (request, response) => {
      if (auth && !(await auth(request, response))) return;
      response.end(await count(request));
    };
  },
  express4: onExpress('express4'),
  express5: onExpress('express'),
  async fastify5(guard, options) {
    const [{ agentAuth }, { fastify }] = await load('@countersign/fastify', 'fastify');
    const app = fastify({ bodyLimit: Number.MAX_SAFE_INTEGER });
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    if (guard) await app.register(agentAuth, { guard, ...options, unmapped: 'authenticated' });
    app.put('/', (request) => count(request.raw));
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
  koa2: onKoa('koa2'),
  koa3: onKoa('koa'),
};

const load = (...names) => Promise.all(names.map((name) => import(name)));

function onExpress(name) {
  return async (guard, options) => {
    const [{ agentAuth }, { default: express }] = await load('@countersign/express', name);
    const app = express();
    if (guard) app.use(agentAuth(guard, { ...options, unmapped: 'authenticated' }));
    app.put('/', async (request, response) => response.send(await count(request)));
    return app;
  };
}

function onKoa(name) {
  return async (guard, options) => {
    const [{ agentAuth }, { default: Koa }] = await load('@countersign/koa', name);
    const app = new Koa();
    if (guard) app.use(agentAuth(guard, options));
    app.use(async (ctx) => {
      ctx.body = await count(ctx.req);
    });
    return app.callback();
  };
}

const [first, ...served] = process.argv.slice(2);
if (first === 'serve') await serve(...served);
else await measureAll(first === undefined ? Object.keys(hosts) : [first]);

async function serve(hostName, how, x) {
  const guard =
    how === 'unguarded'
      ? undefined
      : await createGuard({
          origin: ORIGIN,
          agents: agentsFromObjects([{ id: 'bench', jwk: { kty: 'OKP', crv: 'Ed25519', x } }]),
          policy: { scopeVocabulary: [], decide: () => Promise.reject(new Error('nobody asks')) },
          audit: memoryAudit(),
          maxBodyBytes: MEGABYTES * 2_000_000,
        });
  const server = createServer(await hosts[hostName](guard, { streamBody: () => how === 'streamed' }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let peak = 0;
  // Every 2 ms, the samples themselves added CPU in proportion to the time on the clock.
  setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send({ peak, now: process.memoryUsage.rss(), cpu: (user + system) / 1e6 });
    peak = 0;
  });
  process.on('disconnect', () => process.exit());
  process.send({ port: server.address().port });
}

async function measureAll(names) {
  const { publicKey: key, privateKey } = generateKeyPairSync('ed25519');
  const jwk = key.export({ format: 'jwk' });
  const signer = nativeSigningKey(privateKey, { keyId: jwkThumbprint(jwk) });
  const { hashing, digest } = hashAll();
  const rows = [];
  for (const name of names) rows.push(...(await measureHost(name, jwk.x, signer, digest, hashing)));
  console.log(`${MEGABYTES} MB, best of ${ROUNDS}; SHA-256 alone takes ${(hashing.cpu * 1000).toFixed(0)} ms of CPU`);
  console.table(rows);
}

/** To the same without a guard, and one hash. */
function ratio(times, bareTimes, hash) {
  return (Math.min(...times) / (Math.min(...bareTimes) + hash)).toFixed(2);
}

/** Rounds are interleaved, so that load affects all modes equally. */
async function measureHost(hostName, x, signer, digest, hashing) {
  const servers = await Promise.all(MODES.map((each) => start(hostName, each, x)));
  // A guard refuses signatures created in the second in which its process began.
  await setTimeout(1000);
  for (const server of servers) await upload(server, signer, digest, 1);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const server of servers) {
      const before = await ask(server);
      server.seconds.push(await upload(server, signer, digest, MEGABYTES));
      const after = await ask(server);
      server.growth.push(after.peak - before.now);
      server.cpu.push(after.cpu - before.cpu);
    }
  }
  for (const { child } of servers) child.disconnect();
  const bare = servers[0];
  return servers.map(({ mode: how, seconds, cpu, growth }) => {
    const guarded = how !== 'unguarded';
    return {
      host: hostName,
      body: how,
      ms: Math.round(Math.min(...seconds) * 1000),
      'to unguarded + hashing': guarded ? ratio(seconds, bare.seconds, hashing.seconds) : '',
      'CPU ms': Math.round(Math.min(...cpu) * 1000),
      'CPU to unguarded + hashing': guarded ? ratio(cpu, bare.cpu, hashing.cpu) : '',
      'RSS growth, MB': Math.round(Math.max(...growth) / 1e6),
    };
  });
}

async function start(hostName, how, x) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', hostName, how, x]);
  const [{ port }] = await once(child, 'message');
  return { child, mode: how, port, seconds: [], cpu: [], growth: [], agent: new Agent({ keepAlive: true }) };
}

async function ask({ child }) {
  child.send('memory');
  const [answer] = await once(child, 'message');
  return answer;
}

async function upload({ port, agent }, signer, digests, megabytes) {
  const fields = await signedFields(signer, digests(megabytes), megabytes);
  const begun = performance.now();
  const request = httpRequest({ port, host: '127.0.0.1', method: 'PUT', path: '/', headers: fields, agent });
  const answered = once(request, 'response');
  for (let sent = 0; sent < megabytes; sent += 1) if (!request.write(block)) await once(request, 'drain');
  request.end();
  const [response] = await answered;
  let text = '';
  for await (const chunk of response) text += chunk;
  if (response.statusCode !== 200 || text !== String(megabytes * block.length)) {
    throw new Error(`${response.statusCode} ${text}`);
  }
  return (performance.now() - begun) / 1000;
}

async function signedFields(key, digest, megabytes) {
  const fields = [
    ['Host', new URL(ORIGIN).host],
    ['Content-Type', 'application/octet-stream'],
    ['Content-Length', String(megabytes * block.length)],
    ['Content-Digest', `sha-256=:${digest}:`],
  ].flat();
  const message = { method: 'PUT', target: '/', scheme: 'https', authority: fields[1], rawFields: fields };
  const signed = await signMessage(message, {
    key,
    components: ['@method', '@authority', '@path', '@query', 'content-type', 'content-digest'],
    parameters: { created: Math.floor(Date.now() / 1000), nonce: randomUUID(), tag: 'countersign' },
  });
  return [...fields, 'Signature-Input', signed.signatureInput, 'Signature', signed.signature];
}

function hash(blocks) {
  const hasher = createHash('sha256');
  for (let done = 0; done < blocks; done += 1) hasher.update(block);
  return hasher.digest('base64');
}

/** The digest of so many blocks, and how long the longest takes, in seconds: on the clock, and of CPU. */
function hashAll() {
  const digests = new Map();
  const rounds = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    const begun = performance.now();
    digests.set(MEGABYTES, hash(MEGABYTES));
    const { user, system } = process.cpuUsage(before);
    return { seconds: (performance.now() - begun) / 1000, cpu: (user + system) / 1e6 };
  });
  const least = (name) => Math.min(...rounds.map((round) => round[name]));
  digests.set(1, hash(1));
  return { hashing: { seconds: least('seconds'), cpu: least('cpu') }, digest: (blocks) => digests.get(blocks) };
}
