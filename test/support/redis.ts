import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './free-port.js';
import { reportMissing } from './required.js';

/** A Redis server of this test, on a port of its own. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  /** Sends a signal to the server; SIGKILL is a crash. */
  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Starts it again after a crash, on the same port and with the files that it has left. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The program; undefined if it is missing, and the tests that need it are skipped. */
export function findRedis(program = 'redis-server'): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin'];
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
  return (
    found ?? reportMissing('redis', 'Redis is missing: its tests are skipped. `apt install redis-server` gives it.')
  );
}

/** Starts an empty server. Unless the settings say otherwise, nothing is saved to disk. With a file, it is a Sentinel. */
export async function startRedis(
  program: string,
  settings: readonly string[] = [],
  sentinel?: { readonly file: string },
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-redis-'));
  const port = await freePort();
  let server: ChildProcess | undefined;
  let exited: Promise<unknown> = Promise.resolve();
  const start = async () => {
    const place = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder];
    const args = sentinel ? [sentinel.file, '--sentinel', ...place] : [...place, '--save', '', ...settings];
    server = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    exited = once(server, 'exit');
    await ready(server);
  };
  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    folder,
    async kill(signal) {
      server?.kill(signal);
      if (signal === 'SIGKILL') await exited;
    },
    start,
    async stop() {
      server?.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    server.stdout?.on('data', (chunk) => {
      log += String(chunk);
      if (/ready to accept connections|\+monitor master/i.test(log)) resolve();
    });
    server.once('exit', () => reject(new Error(`redis-server did not start: ${log}`)));
  });
}
