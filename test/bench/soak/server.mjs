// The guarded API of the soak, with what changes while it serves: node server.mjs '{"folder":…,"keys":…}'. Each message
// names one change, or asks for a sample.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { agentsFromObjects, auditFile, cedarFromDirectory, createGuard } from '@countersign/core';
import { agentAuth, permit } from '@countersign/express';
import express, { json } from 'express';
import { ANSWER, HOST, ISSUER, ORIGIN, REPOSITORY, ROUTE } from '../host/world.mjs';

const { folder, keys } = JSON.parse(process.argv[2]);
const agents = agentsFromObjects(keys.agents);
const policy = await cedarFromDirectory(join(folder, 'policies'));
const guard = await createGuard({
  origin: ORIGIN,
  agents,
  issuers: [{ issuer: ISSUER, jwks: { keys: [keys.issuer] } }],
  policy,
  audit: auditFile(join(folder, 'audit')),
});
const mayCreate = permit('pr.create', () => ({ type: 'Repo', id: REPOSITORY }));
const app = express()
  .use(agentAuth(guard))
  .use(json())
  .post(ROUTE, mayCreate, (_request, response) => response.status(201).json(ANSWER));

const MEBIBYTE = 2 ** 20;
const SAMPLE_MILLISECONDS = 200;
const RESOLUTION_MILLISECONDS = 10;
/** It measures from timer to timer, so that its resolution is part of every value. */
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MILLISECONDS });
const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MILLISECONDS);
delay.enable();
let leastHeap = Infinity;
setInterval(() => (leastHeap = Math.min(leastHeap, process.memoryUsage().heapUsed)), SAMPLE_MILLISECONDS).unref();

/** `heapMiB`: the least since the last sample, so that garbage that waits for its collection does not count. */
function sample() {
  const { rss, heapUsed, external } = process.memoryUsage();
  const taken = {
    heapMiB: Math.min(leastHeap, heapUsed) / MEBIBYTE,
    externalMiB: external / MEBIBYTE,
    rssMiB: rss / MEBIBYTE,
    handles: process.getActiveResourcesInfo().length,
    delayP50: milliseconds(delay.percentile(50)),
    delayP99: milliseconds(delay.percentile(99)),
    delayMax: milliseconds(delay.max),
  };
  delay.reset();
  leastHeap = Infinity;
  return taken;
}

const tasks = {
  sample,
  addKey: ({ agent, jwk }) => agents.addKey(agent, { jwk }),
  removeKey: ({ thumbprint }) => agents.removeKey(thumbprint),
  revoke: ({ revocation }) => guard.revocations.revoke(revocation),
  reload: () => policy.reload(),
  close: () => guard.close(),
};

const server = createServer(app);
server.listen(0, HOST);
await once(server, 'listening');
process.on('disconnect', () => process.exit());
process.on('message', async ({ task, ...given }) => {
  try {
    process.send({ ...(await tasks[task](given)) });
  } catch (error) {
    process.send({ error: String(error) });
  }
});
process.send({ port: server.address().port });
