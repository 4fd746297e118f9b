import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { vi } from 'vitest';
import { reportMissing } from './required.js';

/** A Postgres server of this test, reached through a socket in its own folder. */
export interface PostgresServer {
  /** For `new pg.Pool(…)`. */
  readonly connection: { readonly host: string; readonly user: string; readonly database: string };
  /** Sends a signal to the server; SIGKILL is a crash. */
  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Ends it as an operator does. */
  shutDown(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The folder with the programs of Postgres; undefined if they are missing, and the tests that need them are skipped. */
export function findPostgres(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin')) : [];
  const folders = [...versions, ...(process.env['PATH'] ?? '').split(delimiter)];
  const found = folders.find((folder) => ['initdb', 'postgres'].every((program) => existsSync(join(folder, program))));
  return (
    found ?? reportMissing('postgres', 'Postgres is missing: its tests are skipped. `apt install postgresql` gives it.')
  );
}

/** Starts a server with an empty database. Nothing is kept, and nothing is synced to disk. */
export async function startPostgres(programs: string): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-postgres-'));
  const data = join(folder, 'data');
  const user = unprivileged();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const options = { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'] };
  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'countersign', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    options,
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${String(made.stderr)}`);
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off', 'max_connections=300'];
  const launch = async () => {
    const started = spawn(
      join(programs, 'postgres'),
      ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
      options,
    );
    await ready(started);
    return started;
  };
  let server = await launch();
  const shutDown = async () => {
    const exited = once(server, 'exit');
    // SIGINT ends sessions that are still open.
    if (server.kill('SIGINT')) await exited;
  };
  return {
    connection: { host: folder, user: 'countersign', database: 'postgres' },
    async kill(signal) {
      const exited = once(server, 'exit');
      if (server.kill(signal) && signal === 'SIGKILL') await exited;
    },
    shutDown,
    async start() {
      // Processes of a server that crashed hold its memory for a moment.
      server = await vi.waitFor(launch, { timeout: 30_000, interval: 100 });
    },
    async stop() {
      await shutDown();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    server.stderr?.on('data', (chunk) => {
      log += String(chunk);
      if (log.includes('ready to accept connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`postgres did not start: ${log}`)));
  });
}

/** Postgres refuses to run as root. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return { uid: idOfNobody('-u'), gid: idOfNobody('-g') };
}

function idOfNobody(flag: string): number {
  return Number(spawnSync('id', [flag, 'nobody']).stdout);
}
