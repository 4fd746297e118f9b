// A guarded API as a process of its own: api.mjs SETUP, a JSON object.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { agentsFromAuthority, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller } from '@countersign/node-http';

const { issuer } = JSON.parse(process.argv[2]);
const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true };
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${server.address().port}`;
const guard = await createGuard({
  origin,
  audience: 'https://api.acme.dev',
  agents: await agentsFromAuthority(issuer, local),
  issuers: [{ issuer, ...local }],
  policy: await cedarFromText({ policies: 'permit (principal, action, resource);' }),
  audit: memoryAudit(),
});
const auth = agentAuth(guard, { everyRequest: true });
server.on('request', async (request, response) => {
  if (await auth(request, response)) response.end(getCaller(request).actor.id);
});
process.on('disconnect', () => process.exit());
process.send(origin);
