// A guarded process that shares its state with others. Started by processes.ts.
import { createServer } from 'node:http';
import { agentsFromObjects, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth } from '@countersign/node-http';
import { postgresReplay, postgresRevocations } from '@countersign/postgres';
import { redisReplay, redisRevocations } from '@countersign/redis';
import { Pool } from 'pg';
import { createClient } from 'redis';

const { place, publicKey } = JSON.parse(process.argv[2] ?? '{}');

async function share() {
  const options = { clockSkewSeconds: 0, timeoutSeconds: 10 };
  if (place.redis === undefined) {
    const pool = new Pool({ ...place.postgres, max: 8 });
    pool.on('error', () => {});
    return { replay: await postgresReplay(pool, options), revocations: await postgresRevocations(pool) };
  }
  const client = createClient({ url: place.redis, disableOfflineQueue: true });
  client.on('error', () => {});
  await client.connect();
  return { replay: await redisReplay(client, options), revocations: await redisRevocations(client) };
}

const shared = await share();
const guard = await createGuard({
  origin: 'https://api.acme.dev',
  agents: agentsFromObjects([{ id: 'agent', publicKey, capabilities: [] }]),
  policy: {
    scopeVocabulary: [],
    decide: async () => ({ decision: 'allow', cause: 'policy', policies: ['any'], policySet: 'none', errors: [] }),
  },
  audit: memoryAudit(),
  clockSkewSeconds: 0,
  ...shared,
});
const authenticated = agentAuth(guard);
const server = createServer(async (request, response) => {
  if (!(await authenticated(request, response))) return;
  response.end();
});
server.listen(0, '127.0.0.1', () => process.send({ id: 'ready', results: [String(server.address().port)] }));

process.on('message', async ({ id, what }) => {
  if (what === 'revoke') await shared.revocations.revoke({ agent: 'agent' });
  else await shared.revocations.restore({ agent: 'agent' });
  process.send({ id, results: [] });
});
process.on('disconnect', () => process.exit());
