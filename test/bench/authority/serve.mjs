// An authority on node:http as a process of its own: serve.mjs SETUP, a JSON object with the store and the keys.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createAuthority, openPostgres, openSqlite } from '@countersign/authority';
import { Pool } from 'pg';

const { sqlite, postgres, agent, login } = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const authority = await createAuthority({
  issuer,
  secret: 'secret-of-the-bench-0123456789-0123456789',
  store: postgres === undefined ? await openSqlite(sqlite) : await openPostgres(new Pool({ ...postgres, max: 10 })),
  resources: [{ audience: 'https://api.acme.dev' }],
  externalIssuers: [login],
  exchange: [{ agents: [agent.id], issuer: login.issuer }],
});
await authority.agents.add(agent);
server.on('request', authority.listener);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send(user + system);
});
process.on('disconnect', () => process.exit());
process.send(issuer);
