import { closeSync, openSync, readdirSync } from 'node:fs';
import { auditFile } from '../src/log/audit-file.js';
import { Spool } from '../src/sinks/spool.js';
import { event } from './events.js';

/**
 * Runs as a process of its own, with few descriptors: begins a file with each write, while as many descriptors are free as
 * the first argument says, and afterwards. Says how that went, and how many descriptors more are open at the end.
 */
const [spare = '0', kind = '', directory = ''] = process.argv.slice(2);
const write = kind === 'spool' ? writerOfSpool() : writerOfLog();
const answers: string[] = [await answer()];
const before = readdirSync('/proc/self/fd').length;
const taken = takeAllBut(Number(spare));
for (let round = 0; round < 3; round++) answers.push(await answer());
for (const descriptor of taken) closeSync(descriptor);
answers.push(await answer(), await answer());
// Before the output, which opens descriptors of its own.
const leaked = readdirSync('/proc/self/fd').length - before;
process.stdout.write(JSON.stringify({ answers, leaked }));

function writerOfLog(): () => Promise<void> {
  const sink = auditFile(directory, { maxSegmentBytes: 1024, onTrouble() {} });
  return () => sink.write(event('x'.repeat(1024)));
}

function writerOfSpool(): () => Promise<void> {
  const spool = new Spool(directory, 'spool', 1_000_000, 1);
  return () => spool.append(['x']);
}

function answer(): Promise<string> {
  return write().then(
    () => 'written',
    () => 'refused',
  );
}

function takeAllBut(count: number): number[] {
  const descriptors: number[] = [];
  try {
    for (;;) descriptors.push(openSync('/dev/null', 'r'));
  } catch {
    for (const descriptor of descriptors.splice(0, count)) closeSync(descriptor);
    return descriptors;
  }
}
