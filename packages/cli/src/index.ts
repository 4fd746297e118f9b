import { type Io, processIo } from './io.js';
import { run } from './program.js';

export type { Io } from './io.js';

/**
 * Runs the `countersign` command with the arguments after its name and returns the exit code. Never throws:
 * errors are printed on `io.err`.
 *
 * @example
 * process.exitCode = await main(['inspect', token]);
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  return run(argv, io);
}
