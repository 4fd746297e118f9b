import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { guardMcpStdio } from '@countersign/mcp';
import { CliError, exitCodes, messageOf } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { withCliErrors } from '../policy/load.js';
import { readScopes } from '../scopes.js';
import { readTools } from './guard-folder.js';
import { type GuardFolderOptions, openGuard } from './open-guard.js';

export interface StdioOptions extends GuardFolderOptions {
  readonly as?: string;
  readonly for?: string;
  readonly scope: string;
}

/** Runs a server behind a guard, on the standard input and output of this process. Resolves to the server's exit code. */
export async function guardCommand(command: readonly string[], options: StdioOptions, io: Io): Promise<number> {
  const { as: agent, for: subject } = options;
  if (agent === undefined) throw new CliError('--as is missing: the id of the agent that calls', exitCodes.usage);
  const rules = await readTools(options.guard);
  const scope = readScopes('--scope', options.scope);
  // No request can be addressed to it: the only caller is local.
  const guard = await openGuard(options, { origin: 'http://localhost' }, io);
  const served = new AbortController();
  try {
    const identity = { agent, scope, ...(subject !== undefined && { subject }) };
    const caller = await withCliErrors(async () => guard.local(identity));
    const child = await start(command, served.signal);
    const exited = once(child, 'exit') as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
    const { stdin: input, stdout: output } = process;
    void exited.then(() => dropUnread(output, child.stdout, served.signal));
    await guardMcpStdio(
      guard,
      caller,
      { client: { input, output }, server: { input: child.stdin, output: child.stdout } },
      rules,
    );
    const [code, signal] = await exited;
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } finally {
    await guard.close();
    // The log is complete, so a signal may end this process while its output waits for a client.
    served.abort();
  }
}

/** How long a client may read nothing once the server has exited. */
const patienceMilliseconds = 3000;

/** Drops what is left of the server's answers if its client reads nothing: the guard waits for it before it reads on. */
function dropUnread(output: Writable, answers: Readable, served: AbortSignal): void {
  // After a failure, the server exits only once nothing is served any more.
  if (served.aborted) return;
  let unread: number | undefined;
  const timer = setInterval(() => {
    if (output.writableNeedDrain && output.writableLength === unread)
      answers.destroy(new Error('the server has exited, and the client does not read its answers'));
    unread = output.writableLength;
  }, patienceMilliseconds);
  served.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** Starts a program whose input and output are piped. Signals that this process gets go on to it until `served` aborts. */
export async function start(
  command: readonly string[],
  served?: AbortSignal,
): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  const [file = '', ...rest] = command;
  const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new CliError(`${file} cannot be started: ${messageOf(error)}`);
  }
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, passOn);
    served?.addEventListener('abort', () => process.off(signal, passOn), { once: true });
  }
  return child;
}
