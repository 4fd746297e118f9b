// An authority in memory for tests of clients: `node test/clients/authority.mjs JSON`, with { audience, agents: [{ id, jwk,
// capabilities }] }. Prints { issuer }. For each line { "verdict": "approve" | "deny", "reason"? } of standard input, Rita of
// the group release-managers decides all that waits, and a line { decided } says how much.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { createAuthority, developmentUser, openSqlite } from '@countersign/authority';

const { audience, agents } = JSON.parse(process.argv[2] ?? '{}');
const rita = { subject: 'user:rita', name: 'Rita', groups: ['release-managers'] };

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const authority = await createAuthority({
  issuer,
  secret: 'secret-of-the-tests-0123456789-0123456789',
  store: await openSqlite(':memory:'),
  resources: [{ audience }],
  users: { authenticate: developmentUser(rita.subject) },
  approvals: {},
});
for (const agent of agents) await authority.agents.add(agent);
server.on('request', authority.listener);
say({ issuer });

for await (const line of createInterface({ input: process.stdin })) {
  const { verdict, reason } = JSON.parse(line);
  const waiting = await authority.approvals.list({ waiting: true, limit: 100 });
  for (const { id, binding } of waiting) await authority.approvals.decide(rita, { id, binding, verdict, reason });
  say({ decided: waiting.length });
}
server.closeAllConnections();
server.close();
await authority.close();

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
