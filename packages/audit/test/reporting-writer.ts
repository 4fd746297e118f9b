import { createInterface } from 'node:readline';
import { auditFile } from '../src/log/audit-file.js';
import { event } from './events.js';

/** Runs as a process of its own: writes each id that it reads, and answers how that went; closes at the end. */
const [directory = '', maxSegmentBytes = '', hoursAhead = '0'] = process.argv.slice(2);
const sink = auditFile(directory, {
  maxSegmentBytes: Number(maxSegmentBytes),
  clock: () => Date.now() + Number(hoursAhead) * 3_600_000,
  checkpointEvery: { records: 5 },
  onTrouble() {},
});
process.stdout.write('ready\n');
for await (const id of createInterface({ input: process.stdin })) {
  const answer = await sink.write(event(id)).then(
    () => 'written',
    (error: { readonly code: string }) => error.code,
  );
  process.stdout.write(`${answer}\n`);
}
await sink.close?.();
