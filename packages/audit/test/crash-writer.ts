import { auditFile } from '../src/log/audit-file.js';
import { event } from './events.js';

/** Runs as a process of its own: writes as fast as it can and says on its output which records were acknowledged. */
const [directory = '', run = '', mode = ''] = process.argv.slice(2);
const sink = auditFile(directory);
let count = 0;

async function writeOn(): Promise<void> {
  for (;;) {
    const id = `${run}-${count++}`;
    await sink.write(event(id));
    process.stdout.write(`${id}\n`);
  }
}

async function fillUp(): Promise<void> {
  const failures: string[] = [];
  while (failures.length < 3) {
    const id = `${run}-${count++}`;
    try {
      await sink.write(event(id, { detail: 'x'.repeat(1000) }));
      process.stdout.write(`${id}\n`);
    } catch (error) {
      failures.push(String(error));
    }
  }
  process.stdout.write(`${failures.join('\n')}\n`);
}

if (mode === 'fill') await fillUp();
else await Promise.all(Array.from({ length: 16 }, writeOn));
