import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { afterFile } from '../../../../test/support/after-file.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../../test/support/postgres.js';
import { openPostgres } from '../../src/storage/postgres.js';
import { openSqlite } from '../../src/storage/sqlite.js';
import type { Store } from '../../src/storage/store.js';

export interface Engine {
  readonly name: string;
  readonly skip: boolean;
  /** A new, empty store. It is closed after the tests of the file. */
  open(): Promise<Store>;
}

const programs = findPostgres();
let server: Promise<PostgresServer> | undefined;
let databases = 0;

/** Both engines: every test of storage runs on each. */
export const engines: readonly Engine[] = [
  { name: 'SQLite', skip: false, open: openFile },
  { name: 'Postgres', skip: programs === undefined, open: openDatabase },
];

async function openFile(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-authority-'));
  afterFile(() => rmSync(folder, { recursive: true, force: true }));
  const store = await openSqlite(join(folder, 'authority.db'));
  afterFile(() => store.close());
  return store;
}

async function openDatabase(): Promise<Store> {
  return await openPostgres(await emptyDatabase());
}

/** A pool of ten connections to a database without tables. */
export async function emptyDatabase(): Promise<Pool> {
  if (server === undefined) {
    server = startPostgres(programs ?? '');
    const started = server;
    afterFile(async () => {
      server = undefined;
      await (await started).stop();
    });
  }
  const { connection } = await server;
  const name = `test_${++databases}`;
  const admin = new Client(connection);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const pool = new Pool({ ...connection, database: name, max: 10 });
  pool.on('error', () => {});
  afterFile(() => pool.end());
  return pool;
}
