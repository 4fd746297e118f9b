import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.js';
import { type Ran, run } from '../support/run.js';
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

export const adminToken = 'admin-token-of-the-tests-0123456789';

/** A folder with a configuration file and secrets that work, except for what a test changes. It goes with the test. */
export async function configure(
  change: object,
): Promise<{ readonly folder: string; readonly config: string; readonly issuer: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-authority-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  // A port that was free a moment ago: the issuer must be known before the server listens.
  const issuer = await freeUrl();
  await writeFile(join(folder, 'secret'), 'secret-of-the-tests-0123456789-0123456789\n', { mode: 0o600 });
  await writeFile(join(folder, 'admin-token'), `${adminToken}\n`, { mode: 0o600 });
  const config = join(folder, 'authority.json');
  const content = {
    issuer,
    listen: issuer.slice('http://'.length),
    secretFile: 'secret',
    adminTokenFile: 'admin-token',
    store: { sqlite: 'authority.db' },
    ...change,
  };
  await writeFile(config, JSON.stringify(content));
  return { folder, config, issuer };
}

/** Runs a command until it ends. */
export async function countersign(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return await run(process.execPath, [binary, ...args], { env: { ...process.env, ...env } });
}
