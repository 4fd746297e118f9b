// The application whose start is measured: node app.mjs bare|guarded. It prints the CPU time that it has used when it
// listens. The guard is imported only where it is used, as a bare application has none.
import { once } from 'node:events';
import express, { json } from 'express';

const app = express();
if (process.argv[2] === 'guarded') await guard();
else app.use(json()).post('/repos/:owner/:repo/pulls', answer);
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ cpuMicros: user + system }));

function answer(_request, response) {
  response.status(201).json({ ok: true });
}

async function guard() {
  const { agentsFromFile, auditFile, cedarFromDirectory, createGuard } = await import('@countersign/core');
  const { agentAuth, permit } = await import('@countersign/express');
  const guarded = await createGuard({
    origin: 'http://127.0.0.1',
    agents: await agentsFromFile('agents.json'),
    issuers: [{ issuer: 'https://id.example.com' }],
    policy: await cedarFromDirectory('policies'),
    audit: auditFile('audit'),
  });
  const mayCreate = permit('pr.create', ({ params }) => ({ type: 'Repo', id: [params.owner, params.repo].join('/') }));
  app.use(agentAuth(guarded)).use(json()).post('/repos/:owner/:repo/pulls', mayCreate, answer);
}
