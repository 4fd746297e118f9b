import { BoundedCalls, type ReservationAnswer, type Reservations, SharedStoreUnavailable } from '@countersign/stores';
import { ensureTable } from './ensure-table.js';
import { type PgPool, rowsOf } from './pool.js';

export interface ReservationOptions {
  readonly table: string;
  /** Whether it survives crashes, at the cost of a sync for each reservation. */
  readonly isLogged: boolean;
  readonly timeoutSeconds: number;
}

const now = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/**
 * The row of no owner is the epoch, which says since when the table has remembered everything. Whatever empties the table
 * takes it too. It is named after the table and the transaction that wrote it, which a fresh cluster counts from the same
 * number, and after the cluster and the database, so that one that a dump or a copy brings back does not count.
 *
 * A table that is not logged is emptied by a crash, and is empty on a promoted replica. A logged one survives a crash if
 * each reservation is synced, but a replica that is promoted, or a recovery to a point in time, lacks the newest: its
 * epoch also names the timeline, which both begin anew.
 */
function statementsOn(table: string, isLogged: boolean) {
  const database = `(SELECT system_identifier::text FROM pg_control_system()) || ':' ||
    (SELECT oid::text FROM pg_database WHERE datname = current_database())`;
  const timeline = isLogged ? ` || ':' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)` : '';
  const synced = `set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)`;
  // If two processes have begun it at once, the later one counts for both.
  const age = `SELECT ${now} - max(until) AS age FROM ${table}
    WHERE owner = '' AND name = tableoid::text || ':' || xmin::text || ':' || ${database}${timeline} HAVING count(*) > 0`;
  return {
    tables: `CREATE ${isLogged ? '' : 'UNLOGGED'} TABLE IF NOT EXISTS ${table} (
        owner TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, until BIGINT NOT NULL, PRIMARY KEY (owner, name));
      CREATE INDEX IF NOT EXISTS ${table}_until ON ${table} (until);`,
    age,
    // The age is computed when the row is read, before the insertion: a table emptied between the two is not this one.
    // `NOT EXISTS` reads what the epoch is read with. `ON CONFLICT` alone would wait for a DELETE of both, and then insert.
    reserve: `WITH epoch AS (${age}), ${isLogged ? `synced AS (SELECT ${synced}), ` : ''}
      used AS (INSERT INTO ${table} (owner, name, until) SELECT $1, $2, ${now} + $3::bigint
        FROM epoch${isLogged ? ', synced' : ''} WHERE NOT EXISTS (SELECT FROM ${table} WHERE owner = $1 AND name = $2)
        ON CONFLICT DO NOTHING RETURNING 1)
      SELECT (SELECT age FROM epoch) AS age, EXISTS (SELECT FROM used) AS won`,
    begin: `INSERT INTO ${table} (owner, name, until)
      SELECT '', '${table}'::regclass::oid::text || ':' || (txid_current() % 4294967296)::text || ':' || ${database}${timeline}, ${now}
      WHERE NOT EXISTS (${age})`,
    // Few at a time, so that no reservation waits for long; those that another process removes are passed over.
    sweep: `DELETE FROM ${table} WHERE ctid IN (SELECT ctid FROM ${table}
      WHERE until < ${now} AND owner <> '' ORDER BY until LIMIT 1000 FOR UPDATE SKIP LOCKED) RETURNING 1`,
  };
}

/** @throws ConfigError if the database cannot be used. */
export async function openReservations(
  caller: string,
  pool: PgPool,
  { table, isLogged, timeoutSeconds }: ReservationOptions,
): Promise<Reservations> {
  const statements = statementsOn(table, isLogged);
  await ensureTable(caller, pool, table, statements.tables);
  const calls = new BoundedCalls('Postgres', timeoutSeconds);
  const sweep = sweeper(pool, statements.sweep, calls);

  async function attempt(owner: string, name: string, milliseconds: number): Promise<ReservationAnswer | undefined> {
    const [row] = await rowsOf(pool, statements.reserve, [owner, name, milliseconds]);
    const age = row?.['age'];
    if (age === null) return undefined;
    if (typeof age !== 'number' || typeof row?.['won'] !== 'boolean') {
      throw new SharedStoreUnavailable('Postgres gave an answer that was not asked for');
    }
    return { result: row['won'] ? 'reserved' : 'replayed', ageMilliseconds: age };
  }

  async function reserve(owner: string, name: string, milliseconds: number): Promise<ReservationAnswer> {
    const answer = await attempt(owner, name, milliseconds);
    if (answer !== undefined) return answer;
    // Without an epoch nothing was inserted, so that to ask again reserves once.
    await rowsOf(pool, statements.begin);
    const again = await attempt(owner, name, milliseconds);
    if (again === undefined) throw new SharedStoreUnavailable('the table is emptied again and again');
    return again;
  }

  await rowsOf(pool, statements.begin);
  const [row] = await rowsOf(pool, statements.age);
  return {
    ageMilliseconds: Number(row?.['age'] ?? 0),
    async reserve(owner, name, milliseconds) {
      const answer = await calls.run(async () => await reserve(owner, name, milliseconds));
      sweep();
      return answer;
    },
  };
}

const sweepEveryMilliseconds = 1000;
const sweepBatch = 1000;

/** Removes what has ended, once a second while there is work, and at once again while there is more. */
function sweeper(pool: PgPool, sweepSql: string, calls: BoundedCalls): () => void {
  let next = 0;
  return () => {
    const time = performance.now();
    if (time < next) return;
    next = Infinity;
    calls
      .run(async () => await rowsOf(pool, sweepSql))
      .then(
        (removed) => void (next = removed.length === sweepBatch ? 0 : performance.now() + sweepEveryMilliseconds),
        // The reservations report the outage.
        () => void (next = performance.now() + sweepEveryMilliseconds),
      );
  };
}
