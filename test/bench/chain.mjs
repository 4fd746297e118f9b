// The cost of a chain: a guarded request with 0, 1, 3 and 5 links, cold (links never seen before) and warm (the same
// links again), as a ratio to the same request of an agent that acts for itself, and to one bare crypto.verify in the
// same run. Run it with `pnpm bench`, on a quiet machine. Absolute times belong to the machine; the ratios carry over.
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { agentsFromObjects, bufferedBody, createGuard, memoryAudit } from '@countersign/core';

const API = 'https://api.example.com';
const REQUESTS = 200;
const ROUNDS = 5;

const keys = Array.from({ length: 6 }, () => generateAgentKey());
const agents = await Promise.all(keys.map((key, index) => createAgent({ id: `agent-${index}`, key })));
const registered = keys.map((key, index) => ({
  id: `agent-${index}`,
  jwk: key.publicJwk,
  capabilities: ['repo:read'],
}));
const decision = { decision: 'allow', cause: 'policy', policies: [], policySet: '', errors: [] };
const guard = await createGuard({
  origin: API,
  agents: agentsFromObjects(registered),
  policy: { scopeVocabulary: [], decide: () => decision },
  audit: memoryAudit(),
});

/** Delegates from agent to agent, and returns the credentials of the last one. */
async function signerAfter(links) {
  let signer = agents[0];
  for (let index = 0; index < links; index += 1) {
    const options = { scope: 'repo:read', ...(index === 0 && { audience: API }) };
    signer = agents[index + 1].accept(await signer.delegate(`agent-${index + 1}`, options));
  }
  return signer;
}

/** Requests are signed beforehand: only the guard is measured. */
async function requestsOf({ links, warm }) {
  const shared = await signerAfter(links);
  const requests = [];
  for (let index = 0; index < REQUESTS; index += 1) {
    const signer = warm ? shared : await signerAfter(links);
    const { headers } = await signer.signRequest({ method: 'GET', url: `${API}/repos/acme/api` });
    const fields = { host: new URL(API).host, ...headers };
    requests.push({ method: 'GET', target: '/repos/acme/api', rawHeaders: Object.entries(fields).flat() });
  }
  return requests;
}

/** The median of single runs, which is robust against load peaks. */
async function medianMicros(runs, run) {
  const micros = [];
  for (const one of runs) {
    const started = performance.now();
    await run(one);
    micros.push((performance.now() - started) * 1000);
  }
  return micros.toSorted((one, other) => one - other)[Math.floor(micros.length / 2)];
}

async function authenticate(request) {
  const answer = await guard.authenticate({ ...request, body: bufferedBody(Buffer.alloc(0)) });
  if (!answer.ok) throw new Error(`an honest request was refused: ${answer.refusal.code}`);
}

/** One signature of the size of a link's, on the thread pool as the guard verifies. */
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const message = Buffer.alloc(400, 'a');
const signature = sign(null, message, privateKey);

function bareVerify() {
  return new Promise((resolve, reject) => {
    verify(null, message, publicKey, signature, (error, valid) => (valid ? resolve() : reject(error)));
  });
}

const cases = [0, 1, 3, 5].flatMap((links) => (links === 0 ? [true] : [false, true]).map((warm) => ({ links, warm })));
const best = cases.map(() => Infinity);
let bestVerify = Infinity;
// Rounds are interleaved, so that load affects all cases equally; the best of each counts.
for (let round = 0; round < ROUNDS; round += 1) {
  bestVerify = Math.min(bestVerify, await medianMicros(Array.from({ length: REQUESTS }), bareVerify));
  for (const [index, one] of cases.entries()) {
    best[index] = Math.min(best[index], await medianMicros(await requestsOf(one), authenticate));
  }
}

console.table(
  cases.map(({ links, warm }, index) => ({
    links,
    'seen before': links === 0 ? '-' : warm ? 'yes' : 'no',
    'median µs': best[index].toFixed(0),
    'ratio to no link': (best[index] / best[0]).toFixed(2),
    'ratio to crypto.verify': (best[index] / bestVerify).toFixed(2),
  })),
);
await guard.close();
