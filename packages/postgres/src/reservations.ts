import {
  BoundedCalls,
  EntriesPerKey,
  type ReservationAnswer,
  type Reservations,
  SharedStoreUnavailable,
} from '@countersign/stores';
import { ensureTable } from './ensure-table.js';
import { type PgPool, rowsOf } from './pool.js';

const table = 'countersign_used';

/**
 * Not logged: a crash empties the table, and with it the row of no owner, the epoch, which says since when it has
 * remembered everything. Whatever else empties it, TRUNCATE or a promoted replica, takes the row too. The epoch is named
 * after the table and the transaction that wrote it, so that one that a dump brings back does not count.
 */
const tables = `CREATE UNLOGGED TABLE IF NOT EXISTS ${table} (
  owner TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, until BIGINT NOT NULL, PRIMARY KEY (owner, name));
CREATE INDEX IF NOT EXISTS ${table}_until ON ${table} (until);`;

const now = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** If two processes have begun it at once, the later one counts for both. */
const ageSql = `SELECT ${now} - max(until) AS age FROM ${table}
  WHERE owner = '' AND name = tableoid::text || ':' || xmin::text HAVING count(*) > 0`;

/** The age is computed when the row is read, before the insertion: a table emptied between the two is not this one. */
const reserveSql = `WITH epoch AS (${ageSql}),
  used AS (INSERT INTO ${table} (owner, name, until) SELECT $1, $2, ${now} + $3::bigint FROM epoch
    ON CONFLICT DO NOTHING RETURNING 1)
SELECT (SELECT age FROM epoch) AS age, EXISTS (SELECT FROM used) AS won`;

const beginSql = `INSERT INTO ${table} (owner, name, until)
  SELECT '', '${table}'::regclass::oid::text || ':' || (txid_current() % 4294967296)::text, ${now}
  WHERE NOT EXISTS (${ageSql})`;

/** Few at a time, so that no reservation waits for long; those that another process removes are passed over. */
const sweepSql = `DELETE FROM ${table} WHERE ctid IN (SELECT ctid FROM ${table}
  WHERE until < ${now} AND owner <> '' ORDER BY until LIMIT 1000 FOR UPDATE SKIP LOCKED) RETURNING 1`;

/** @throws ConfigError if the database cannot be used. */
export async function openReservations(
  caller: string,
  pool: PgPool,
  { timeoutSeconds, maxEntriesPerKey }: { readonly timeoutSeconds: number; readonly maxEntriesPerKey: number },
): Promise<Reservations> {
  await ensureTable(caller, pool, table, tables);
  const calls = new BoundedCalls('Postgres', timeoutSeconds);
  const sweep = sweeper(pool, calls);
  const entries = new EntriesPerKey(maxEntriesPerKey);

  async function attempt(owner: string, name: string, milliseconds: number): Promise<ReservationAnswer | undefined> {
    const [row] = await rowsOf(pool, reserveSql, [owner, name, milliseconds]);
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
    await rowsOf(pool, beginSql);
    const again = await attempt(owner, name, milliseconds);
    if (again === undefined) throw new SharedStoreUnavailable('the table is emptied again and again');
    return again;
  }

  await rowsOf(pool, beginSql);
  const [row] = await rowsOf(pool, ageSql);
  return {
    ageMilliseconds: Number(row?.['age'] ?? 0),
    async reserve(owner, name, milliseconds) {
      const now = performance.now() / 1000;
      if (entries.isFull(owner, now)) return { result: 'full', ageMilliseconds: 0 };
      const answer = await calls.run(async () => await reserve(owner, name, milliseconds));
      if (answer.result === 'reserved') entries.add(owner, now + milliseconds / 1000);
      sweep();
      return answer;
    },
  };
}

const sweepEveryMilliseconds = 1000;
const sweepBatch = 1000;

/** Removes what has ended, once a second while there is work, and at once again while there is more. */
function sweeper(pool: PgPool, calls: BoundedCalls): () => void {
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
