import { join } from 'node:path';
import { openPostgres, openSqlite, type Store } from '@countersign/authority';
import { Pool } from 'pg';
import { onTestFinished } from 'vitest';
import { findPostgres, startPostgres } from '../support/postgres.js';

export interface Engine {
  /** The member `store` of the file. */
  readonly member: object;
  /** Opens what the killed process left. */
  open(folder: string): Promise<Store>;
}

const programs = findPostgres();

async function postgres(): Promise<Engine> {
  const server = await startPostgres(programs ?? '');
  onTestFinished(() => server.stop());
  const { host, user, database } = server.connection;
  return {
    member: { postgres: `postgres://${user}@/${database}?host=${encodeURIComponent(host)}` },
    async open() {
      const pool = new Pool(server.connection);
      // A connection can still be closing when the server ends.
      pool.on('error', () => {});
      onTestFinished(() => pool.end());
      return await openPostgres(pool);
    },
  };
}

const sqlite = async (): Promise<Engine> => ({
  member: { sqlite: 'authority.db' },
  open: (folder) => openSqlite(join(folder, 'authority.db')),
});

/** Name, how to make it, and whether it is missing on this machine. */
export const engines = [
  ['SQLite', sqlite, false],
  ['Postgres', postgres, programs === undefined],
] as const;
