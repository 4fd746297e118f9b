// Verifies many requests of a client in one process, each with a guard: `node test/clients/verify.mjs FILE`.
// FILE has one JSON object a line. The first is { origins, audience?, agents, issuers?, now? }, as in options of a guard, `now`
// in unix seconds. Each other is a request, { method, target, headers: [[name, value], …], body?: base64 }, with Host, as on the wire; characters of
// header values stand for bytes. Prints { accepted, refused: [{ at, code }] }; `at` counts requests from 0.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { agentsFromObjects, bufferedBody, createGuard, memoryAudit, memoryReplayStore } from '@countersign/core';

let guard;
let at = -1;
let accepted = 0;
const refused = [];

for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  if (line === '') continue;
  const value = JSON.parse(line);
  if (guard === undefined) guard = await guardOf(value);
  else await verify(value);
}
process.stdout.write(`${JSON.stringify({ accepted, refused })}\n`);

async function guardOf({ origins, audience, agents, issuers = [], now }) {
  const clock = now === undefined ? Date.now : () => now * 1000;
  return await createGuard({
    origin: origins,
    ...(audience !== undefined && { audience }),
    agents: agentsFromObjects(agents),
    issuers,
    policy: {
      scopeVocabulary: [],
      decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
    },
    audit: memoryAudit(),
    // Signed before this process began.
    maxAgeSeconds: 3600,
    clock,
    replay: memoryReplayStore({ clock: () => clock() - 3_600_000 }),
  });
}

async function verify({ method, target, headers, body = '' }) {
  at += 1;
  const answer = await guard.authenticate({
    method,
    target,
    rawHeaders: headers.flat(),
    body: bufferedBody(Buffer.from(body, 'base64')),
  });
  if (answer.ok) accepted += 1;
  else refused.push({ at, code: answer.refusal.code });
}
