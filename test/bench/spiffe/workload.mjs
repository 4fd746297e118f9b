// A workload as a process of its own: workload.mjs SETUP, a JSON object. Says how many milliseconds each step took.
import { createAgent } from '@countersign/agent';

const { socket, issuer, api } = JSON.parse(process.argv[2]);
const loaded = performance.now();

async function callFromNothing() {
  const begun = performance.now();
  const agent = await createAgent({ spiffe: { socket }, authority: issuer });
  const create = performance.now() - begun;
  await call(agent);
  return { agent, create, first: performance.now() - begun };
}

async function call(agent) {
  const response = await agent.fetch(api);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
}

const { agent, create, first } = await callFromNothing();
const again = (await callFromNothing()).first;
const begun = performance.now();
await call(agent);
const later = performance.now() - begun;
process.on('disconnect', () => process.exit());
process.send({ loaded, create, first, again, later });
