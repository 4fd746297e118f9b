import {
  checkRevocationOptions,
  openSharedRevocations,
  type RevocationEntry,
  type RevocationFeed,
  type SharedRevocations,
  type SharedRevocationsOptions,
} from '@countersign/stores';
import { ensureTable } from './ensure-table.js';
import { listen } from './listen.js';
import { type PgPool, rowsOf } from './pool.js';

const table = 'countersign_revocations';

/** The row without a name holds the version of the whole: what empties the table takes it too. */
const tables = `CREATE TABLE IF NOT EXISTS ${table} (name TEXT COLLATE "C" PRIMARY KEY, until BIGINT,
  in_force BOOLEAN NOT NULL, version BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS ${table}_version ON ${table} (version);
INSERT INTO ${table} (name, in_force, version) VALUES ('', false, 0) ON CONFLICT DO NOTHING;`;

const readSql = `SELECT name, until, in_force, version FROM ${table} WHERE version > $1 OR name = ''`;

/** Locks the version until the commit, so that versions become visible in their order; those of a sequence do not. */
const nextVersion = `UPDATE ${table} SET version = version + 1 WHERE name = '' AND version >= $1 RETURNING version`;
const anewVersion = `INSERT INTO ${table} (name, in_force, version) VALUES ('', false, $1::bigint + 1)
  ON CONFLICT (name) DO UPDATE SET version = GREATEST(${table}.version + 1, excluded.version) RETURNING version`;

const writeSql = (version: string): string => `WITH next AS (${version}),
  written AS (INSERT INTO ${table} AS held (name, until, in_force, version)
    SELECT given.name, given.until, given.in_force, next.version
    FROM next, unnest($2::text[], $3::bigint[], $4::boolean[]) AS given (name, until, in_force)
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, in_force = excluded.in_force,
      until = CASE WHEN held.in_force AND excluded.in_force AND held.until IS NULL THEN NULL
        WHEN held.in_force AND excluded.in_force AND excluded.until IS NOT NULL THEN GREATEST(held.until, excluded.until)
        ELSE excluded.until END
    RETURNING 1)
SELECT pg_notify('${table}', '') FROM next`;

/** What ended a day ago, or was taken back so long ago, is of no use to anybody. */
const sweepSql = `DELETE FROM ${table} WHERE until < extract(epoch FROM clock_timestamp())::bigint - 86400`;

/**
 * Revocations in Postgres for all processes, through the application's pool of `pg`. They survive restarts of everything.
 * A process polls twice a second, and listens for notices on one connection of the pool.
 *
 * @throws ConfigError if the database cannot be used.
 *
 * @example
 * const revocations = await postgresRevocations(pool); // createGuard({ …, revocations })
 * await revocations.revoke({ agent: 'agent-1' });
 */
export async function postgresRevocations(
  pool: PgPool,
  options: SharedRevocationsOptions = {},
): Promise<SharedRevocations> {
  const owner = 'postgresRevocations';
  checkRevocationOptions(owner, options);
  await ensureTable(owner, pool, table, tables);
  return await openSharedRevocations(owner, feedIn(pool), {
    ...options,
    hintIfEmpty: `the table ${table} has lost its first row: drop the table, or restore it from a backup.`,
  });
}

function feedIn(pool: PgPool): RevocationFeed {
  return {
    async read(after) {
      const rows = await rowsOf(pool, readSql, [after]);
      const version = rows.find(({ name }) => name === '')?.['version'];
      if (typeof version !== 'number') return undefined;
      return { newest: version, entries: rows.filter(({ name }) => name !== '').map(readEntry) };
    },
    async write(entries, known) {
      const rows = await rowsOf(pool, writeSql(nextVersion), [known, ...columnsOf(entries)]);
      await rowsOf(pool, sweepSql);
      return rows.length > 0;
    },
    async writeBack(entries, known) {
      await rowsOf(pool, writeSql(anewVersion), [known, ...columnsOf(entries)]);
    },
    watch: (listener) => listen(pool, table, listener),
  };
}

function readEntry({ name, until, in_force: inForce }: Readonly<Record<string, unknown>>): RevocationEntry {
  const isEntry =
    typeof name === 'string' && typeof inForce === 'boolean' && (until === null || Number.isFinite(until));
  if (!isEntry) throw new TypeError(`a row of ${table} is no revocation`);
  return { name, inForce, until: until === null ? undefined : Number(until) };
}

/** What was taken back stays for a day, so that each process learns of it. */
function columnsOf(entries: readonly RevocationEntry[]): readonly unknown[] {
  return [entries.map(({ name }) => name), entries.map(endOf), entries.map(({ inForce }) => inForce)];
}

function endOf({ inForce, until }: RevocationEntry): number | null {
  return inForce ? (until ?? null) : Math.floor(Date.now() / 1000);
}
