// An authority for workloads as a process of its own: authority.mjs SETUP, a JSON object.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createAuthority, openSqlite } from '@countersign/authority';

const { bundle, id } = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const authority = await createAuthority({
  issuer,
  secret: 'secret-of-the-bench-0123456789-0123456789',
  store: await openSqlite(':memory:'),
  resources: [{ audience: 'https://api.acme.dev' }],
  spiffe: { trustDomains: { acme: { file: bundle } }, workloads: [{ id, capabilities: ['repo:read'] }] },
});
server.on('request', authority.listener);
process.on('disconnect', () => process.exit());
process.send(issuer);
