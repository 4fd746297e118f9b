import { fileURLToPath } from 'node:url';
import {
  type AgentRegistration,
  agentsFromObjects,
  auditFile,
  cedarFromDirectory,
  createGuard,
} from '@countersign/core';
import { agentAuth, permit } from '@countersign/express';
import { redisReplay, redisRevocations } from '@countersign/redis';
import express from 'express';
import { createClient } from 'redis';

/** What the supervisor gives to a process of the API. */
export interface ApiSettings {
  /** The number of the process: it has the same again after a crash. */
  readonly slot: number;
  /** Where agents reach the API, which is the load balancer. */
  readonly origin: string;
  readonly redis: string;
  /** The folder of all logs. */
  readonly audit: string;
  readonly agents: readonly AgentRegistration[];
}

/** One process of the API. Nothing but the two lines with `redis…` knows that there are others. */
const { slot, origin, redis, audit, agents } = JSON.parse(process.argv[2] ?? '') as ApiSettings;

const client = createClient({ url: redis, disableOfflineQueue: true });
client.on('error', () => {}); // requests are answered with 503, and `onTrouble` of the guard says why
await client.connect();

const guard = await createGuard({
  origin,
  agents: agentsFromObjects(agents),
  policy: await cedarFromDirectory(fileURLToPath(new URL('../policies', import.meta.url))),
  audit: auditFile(`${audit}/${slot}`),
  replay: await redisReplay(client),
  revocations: await redisRevocations(client),
});

const app = express();
app.use(agentAuth(guard));
app.post(
  '/orders/:id',
  permit('order.place', (req) => ({ type: 'Order', id: String(req.params['id']) })),
  (_req, res) => {
    // Long enough for a crash in the middle.
    setTimeout(() => res.status(201).json({ placedBy: slot }), 20);
  },
);

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});

// The supervisor asks for the end; a crash does not.
process.once('disconnect', () => {
  server.close();
  server.closeAllConnections();
  void guard.close().then(() => client.destroy());
});
