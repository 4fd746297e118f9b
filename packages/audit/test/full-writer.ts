import { Spool } from '../src/sinks/spool.js';
import { fileWitness } from '../src/witnesses/file-witness.js';

/**
 * Runs as a process of its own whose files have a size limit, which is as good as a full disk. Appends until three appends
 * have failed, and says how many did not.
 */
const [kind = '', path = ''] = process.argv.slice(2);
const append = kind === 'spool' ? toSpool() : toWitness();
let written = 0;
for (let failures = 0; failures < 3; ) {
  try {
    await append(written);
    written += 1;
  } catch {
    failures += 1;
  }
}
process.stdout.write(`${written}`);

function toWitness(): (count: number) => Promise<void> {
  const witness = fileWitness(path);
  return (count) => witness.receive(`log\n${count}\n${'A'.repeat(300)}\n\n— log signature\n`);
}

/** The limit is one of each file, so that a line that is longer fits into none. */
function toSpool(): (count: number) => Promise<void> {
  const spool = new Spool(path, 'spool', 1_000_000, 100);
  return (count) => spool.append(['x'.repeat(count < 3 ? 300 : 10_000)]);
}
