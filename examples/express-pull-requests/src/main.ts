import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tellStory } from './story.js';
import { UnexpectedTurn } from './telling.js';
import { abilitiesOf, createTerminal } from './terminal.js';
import { startWorld } from './world.js';

// Change a policy and play again, or play with policies of your own: --policies FOLDER.
const { values } = parseArgs({
  options: { policies: { type: 'string', default: fileURLToPath(new URL('../policies', import.meta.url)) } },
});
// A reader that hangs up, as `| head` does, ends the output and not the story.
process.stdout.on('error', () => undefined);
const terminal = createTerminal((text) => process.stdout.write(text), abilitiesOf(process.stdout, process.env));
const folder = await mkdtemp(join(tmpdir(), 'countersign-example-'));
try {
  process.exitCode = (await play()) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true });
}

/** Whether the story went as told. */
async function play(): Promise<boolean> {
  const { line, yes, good, bad } = terminal;
  const world = await startWorld({ policiesFolder: values.policies, folder });
  try {
    await tellStory(world, terminal);
    line();
    line(`${good(yes)} Every answer was the expected one, and every refusal is in the log.`);
    return true;
  } catch (error) {
    if (!(error instanceof UnexpectedTurn)) throw error;
    line(`     ${bad(error.message)}`);
    line('The story ends here: it went another way than told.');
    return false;
  } finally {
    await world.stop();
  }
}
