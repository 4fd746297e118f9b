import { fileWitness } from '../src/witnesses/file-witness.js';

/**
 * Runs as a process of its own whose files have a size limit, which is as good as a full disk. Appends until three appends
 * have failed, and says how many did not.
 */
const [path = ''] = process.argv.slice(2);
const witness = fileWitness(path);
let written = 0;
for (let failures = 0; failures < 3; ) {
  try {
    await witness.receive(`log\n${written}\n${'A'.repeat(300)}\n\n— log signature\n`);
    written += 1;
  } catch {
    failures += 1;
  }
}
process.stdout.write(`${written}`);
