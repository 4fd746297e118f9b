// Writes an audit log while recorder.mjs records its file operations: see power-loss.ts.
import { note } from './recorder.mjs';
import { auditFile } from '@countersign/core';

const { directory, durability, run, records } = JSON.parse(process.argv[4] ?? '{}');

const sink = auditFile(directory, {
  durability,
  maxSegmentBytes: 12_000,
  checkpointEvery: { records: 20 },
  // The witness is outside of the recorded folder, so its checkpoints survive.
  witnesses: [{ name: 'elsewhere', receive: async (checkpoint) => void note({ op: 'witnessed', checkpoint }) }],
});

let count = 0;
async function writeOn() {
  while (count < records) {
    const id = `${run}-${++count}`;
    await sink.write({
      id,
      time: new Date().toISOString(),
      phase: 'decision',
      decision: 'allow',
      detail: 'x'.repeat((count * 97) % 1500),
      request: { id, method: 'DELETE', path: '/records/1' },
    });
    note({ op: 'acknowledged', id });
  }
}
await Promise.all(Array.from({ length: 8 }, writeOn));
await sink.close();
