import type { ReplayStore } from '@countersign/core';
import { type OneTimeOptions, readOneTimeOptions, replayStoreIn } from '@countersign/stores';
import type { PgPool } from './pool.js';
import { openReservations } from './reservations.js';

/**
 * Remembers used signatures in Postgres 12 or newer, for all processes, through the application's pool of `pg`. The table
 * is unlogged, so it costs no sync; a Postgres that crashed or was replaced by its replica has emptied it, and refuses what
 * was signed before (503 `replay_unknown`), so that a client signs anew. On a table that has just begun, the first start
 * waits `clockSkewSeconds`.
 *
 * @throws ConfigError if the database cannot be used.
 *
 * @example
 * const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 1000, query_timeout: 1000 });
 * const guard = await createGuard({ …, replay: await postgresReplay(pool) });
 */
export async function postgresReplay(pool: PgPool, options: OneTimeOptions = {}): Promise<ReplayStore> {
  const { timeoutSeconds, ...limits } = readOneTimeOptions('postgresReplay', options);
  return await replayStoreIn(
    await openReservations('postgresReplay', pool, { timeoutSeconds, table: 'countersign_used', isLogged: false }),
    limits,
  );
}
