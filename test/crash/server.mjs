// A guarded server, killed by crash.test.ts, whose handler leaves its own mark on disk.
import { appendFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { agentsFromObjects, auditFile, createGuard, fileWitness } from '@countersign/core';
import { agentAuth, permit } from '@countersign/node-http';

const { folder, marks, witness, durability, publicKey } = JSON.parse(process.argv[2] ?? '{}');

writeSync(1, 'starting\n');
const guard = await createGuard({
  origin: 'http://127.0.0.1',
  agents: agentsFromObjects([{ id: 'agent', publicKey, capabilities: [] }]),
  // Allows everything: the test is about records, and starting Cedar a thousand times is slow.
  policy: {
    scopeVocabulary: [],
    decide: async () => ({ decision: 'allow', cause: 'policy', policies: ['any'], policySet: 'none', errors: [] }),
  },
  audit: auditFile(folder, {
    durability,
    maxSegmentBytes: 40_000,
    checkpointEvery: { records: 30 },
    witnesses: [fileWitness(witness)],
  }),
  // Accept signatures created in the second in which this process began.
  replay: { reserve: () => 'reserved' },
  // Requests still running at the close have no outcome.
  onTrouble() {},
});
const auth = agentAuth(guard);
const mayDelete = permit('record.delete', (request) => ({ type: 'Record', id: request.url.slice(1) }));

const server = createServer(async (request, response) => {
  if (!(await auth(request, response))) return;
  if (!(await mayDelete(request, response))) return;
  appendFileSync(marks, `${request.url.slice(1)}\n`);
  response.writeHead(204).end();
});
server.listen(0, '127.0.0.1', () => writeSync(1, `${server.address().port}\n`));
process.on('SIGTERM', () => void guard.close());
