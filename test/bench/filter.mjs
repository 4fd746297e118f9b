// What it costs to filter a list of 500: one guard.filter beside 500 guard.authorize in the same run, with 10,000
// policies and a log on disk, as ratios. Run it with `pnpm bench`, on a quiet machine.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { agentsFromObjects, auditFile, bufferedBody, cedarFromText, createGuard } from '@countersign/core';

const API = 'https://api.example.com';
const ROUNDS = 7;
// Beside the code: a folder for temporary files may be in memory, where nothing is ever synced.
const folder = mkdtempSync(join(import.meta.dirname, 'filter-'));

const condition = 'when { context.scope.contains("repo:read") }';
const policies = Array.from(
  { length: 10_000 },
  (_, n) =>
    `@id("p${n}") permit(principal in Role::"role-${n}", action == Action::"repo.read", resource) ${condition};`,
).join('\n');
const key = generateAgentKey();
const agent = await createAgent({ id: 'agent-1', key });
const guard = await createGuard({
  origin: API,
  agents: agentsFromObjects([
    { id: 'agent-1', jwk: key.publicJwk, capabilities: ['repo:read'], roles: ['role-1', 'role-2'] },
  ]),
  policy: await cedarFromText({ policies }),
  audit: auditFile(folder),
});

async function letIn() {
  const { headers } = await agent.signRequest({ method: 'GET', url: `${API}/search` });
  const rawHeaders = Object.entries({ host: new URL(API).host, ...headers }).flat();
  const body = bufferedBody(Buffer.alloc(0));
  const answer = await guard.authenticate({ method: 'GET', target: '/search', rawHeaders, body });
  if (!answer.ok) throw new Error(`an honest request was refused: ${answer.refusal.code}`);
  return answer.caller;
}

const resources = Array.from({ length: 500 }, (_, n) => ({ type: 'Repo', id: `acme/${n}` }));
const ways = {
  'guard.filter': async (caller) => {
    const answer = await guard.filter(caller, 'repo.read', resources);
    if (!answer.ok || answer.permitted.length !== 500) throw new Error('not all were permitted');
  },
  'guard.authorize, one after the other': async (caller) => {
    for (const resource of resources) await authorize(caller, resource);
  },
  'guard.authorize, all at once': async (caller) => {
    await Promise.all(resources.map((resource) => authorize(caller, resource)));
  },
};

async function authorize(caller, resource) {
  const answer = await guard.authorize(caller, { action: 'repo.read', resource });
  if (!answer.ok) throw new Error(`refused: ${answer.refusal.code}`);
}

const best = new Map(Object.keys(ways).map((way) => [way, Infinity]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [way, run] of Object.entries(ways)) {
    const caller = await letIn();
    const started = performance.now();
    await run(caller);
    best.set(way, Math.min(best.get(way), performance.now() - started));
    await guard.complete(caller, { result: 'finished', status: 200 });
  }
}
const least = best.get('guard.filter');
console.table(
  [...best].map(([way, ms]) => ({ way, 'best ms': ms.toFixed(1), 'ratio to guard.filter': (ms / least).toFixed(1) })),
);
await guard.close();
rmSync(folder, { recursive: true });
