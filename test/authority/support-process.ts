import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.js';
import { root } from '../support/workspace.js';

export const binary = join(root, 'packages/cli/bin/countersign.js');

export interface RunningCommand {
  readonly process: ChildProcess;
  /** The first line of standard output. */
  readonly line: Record<string, unknown>;
  readonly err: () => string;
  /** Resolves to the exit code once the command has ended. */
  readonly ended: Promise<number | null>;
  /** Resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts a command that runs until it is stopped, and waits for the JSON that it prints. It ends with the test. */
export async function startCommand(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RunningCommand> {
  const child = spawn(process.execPath, [binary, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  let err = '';
  child.stderr.on('data', (chunk) => (err += String(chunk)));
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return await ended;
  };
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) await stop('SIGKILL');
  });
  const first = once(createInterface(child.stdout), 'line') as Promise<[string]>;
  const [text] = await Promise.race([
    first,
    ended.then((code) => {
      throw new Error(`the command ended with ${String(code)}: ${err}`);
    }),
  ]);
  return { process: child, line: JSON.parse(text) as Record<string, unknown>, err: () => err, ended, stop };
}

/** A URL on loopback whose port was free a moment ago, for programs that must know it before they listen. */
export async function freeUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}
