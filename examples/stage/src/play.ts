import { setTimeout } from 'node:timers/promises';
import { UnexpectedTurn } from './telling.js';
import { abilitiesOf, createTerminal, type Terminal } from './terminal.js';

/** Plays a story in the terminal. The exit code of the process is 0 if every answer was the expected one. */
export async function playStory(tell: (terminal: Terminal) => Promise<void>): Promise<void> {
  // A closed pipe, as with `| head`, ends the output and not the story.
  process.stdout.on('error', () => undefined);
  const terminal = createTerminal((text) => process.stdout.write(text), abilitiesOf(process.stdout, process.env));
  const { line, yes, good, bad } = terminal;
  await firstSecondIsOver();
  try {
    await tell(terminal);
    line();
    line(`${good(yes)} Every answer was the expected one, and every refusal is in the log.`);
  } catch (error) {
    if (!(error instanceof UnexpectedTurn)) throw error;
    line(`     ${bad(error.message)}`);
    line('The story ends here: it went another way than told.');
    process.exitCode = 1;
  }
}

/**
 * The replay store in memory refuses what was signed in the second in which the process began, and the agent signs anew.
 * A story shows single requests, so it begins after that second.
 */
async function firstSecondIsOver(): Promise<void> {
  const startedAt = Date.now() - process.uptime() * 1000;
  const over = (Math.floor(startedAt / 1000) + 1) * 1000;
  await setTimeout(Math.max(Math.ceil(over - Date.now()), 0));
}
