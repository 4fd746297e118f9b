import { randomUUID } from 'node:crypto';
import { ConfigError } from '@countersign/common';
import {
  checkRevocationOptions,
  openSharedRevocations,
  type RevocationEntry,
  type RevocationFeed,
  type RevocationPlace,
  type RevocationWrite,
  type SharedRevocations,
  type SharedRevocationsOptions,
} from '@countersign/stores';
import { changedRows } from './changes.js';
import { ensureTable, hasTable } from './ensure-table.js';
import { listen } from './listen.js';
import { checkPool, type PgPool, type Row, rowsOf } from './pool.js';

const table = 'countersign_revocations';
const pageLength = 5000;

/**
 * The row without a name holds the newest version and its mark: what empties the table takes it too. It is `in_force` while
 * the list is not whole. A row whose name is a mark, `!…`, is of an older write.
 */
const tables = `CREATE TABLE IF NOT EXISTS ${table} (name TEXT COLLATE "C" PRIMARY KEY, until BIGINT,
  in_force BOOLEAN NOT NULL, version BIGINT NOT NULL, mark TEXT COLLATE "C");
CREATE INDEX IF NOT EXISTS ${table}_version ON ${table} (version, name);
INSERT INTO ${table} (name, in_force, version, mark) VALUES ('', false, 0, '') ON CONFLICT DO NOTHING;`;

/** The mark of version 0 is empty, and so always there: who knows only an empty list has nothing to lose. */
const readSql = `(SELECT name, until, in_force, version, mark FROM ${table} WHERE name IN ('', $1)) UNION ALL
  (SELECT name, until, in_force, version, mark FROM ${table} WHERE (version, name) > ($2, $3) AND name NOT LIKE '!%'
    AND name <> '' ORDER BY version, name LIMIT ${pageLength})`;

/** Locks the version until the commit, so that versions become visible in their order; those of a sequence do not. */
const nextVersion = (inTime: string): string => `UPDATE ${table} SET version = version + 1, mark = $1
  WHERE name = '' AND NOT in_force AND EXISTS (SELECT FROM ${table} AS known WHERE known.name = $5) AND ${inTime}
  RETURNING version`;
/** The same of a page that writes back: `$6` if it is the first of several, `$7` if it is the last. */
const pageVersion = (
  inTime: string,
): string => `UPDATE ${table} SET version = version + 1, mark = $1, in_force = (in_force OR $6) AND NOT $7
  WHERE name = '' AND EXISTS (SELECT FROM ${table} AS known WHERE known.name = $5) AND ${inTime} RETURNING version`;
/** The same of a page that begins the list. */
const anewVersion = (inTime: string): string => `INSERT INTO ${table} (name, in_force, version, mark)
  SELECT '', $5::boolean, coalesce(max(version), 0) + 1, $1 FROM ${table} HAVING ${inTime}
  ON CONFLICT (name) DO NOTHING RETURNING version`;

const now = 'extract(epoch FROM clock_timestamp())::bigint';

const writeSql = (version: string): string => `WITH next AS (${version}),
  marked AS (INSERT INTO ${table} (name, until, in_force, version) SELECT $1::text, ${now}, false, version FROM next),
  written AS (INSERT INTO ${table} AS held (name, until, in_force, version)
    SELECT given.name, given.until, given.in_force, next.version
    FROM next, unnest($2::text[], $3::bigint[], $4::boolean[]) AS given (name, until, in_force)
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, in_force = excluded.in_force,
      until = CASE WHEN held.in_force AND excluded.in_force AND held.until IS NULL THEN NULL
        WHEN held.in_force AND excluded.in_force AND excluded.until IS NOT NULL THEN GREATEST(held.until, excluded.until)
        ELSE excluded.until END
    RETURNING 1)
SELECT version, pg_notify('${table}', '')::text FROM next`;

/** What ended a day ago, or was taken back so long ago, is of no use to anybody; nor is a mark that was followed by one. */
const sweepSql = `DELETE FROM ${table} WHERE (name NOT LIKE '!%' AND until < ${now} - 86400)
  OR (name LIKE '!%' AND version < (SELECT max(version) FROM ${table} WHERE name LIKE '!%' AND until < ${now} - 86400))`;

/**
 * Revocations in Postgres for all processes, through the application's pool of `pg`. They survive restarts of everything.
 * A process polls twice a second, and listens for notices on one connection of the pool.
 *
 * @throws ConfigError if the database cannot be used, or `beginPostgresRevocations` was never called for it.
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
  checkPool(owner, pool);
  // `listen` holds one connection.
  if ((pool.options?.max ?? Infinity) < 2) throw new ConfigError(`${owner}: the pool needs max: 2, or more.`);
  if (!(await hasTable(owner, pool, table))) {
    throw new ConfigError(
      `${owner}: no schema of this search_path holds revocations, not even an empty list. Is it the database, the user and the schema of the application? For a new one call beginPostgresRevocations(pool) once, or 'countersign revocations begin'.`,
    );
  }
  return await openSharedRevocations(owner, feedIn(pool), {
    ...options,
    hintIfEmpty: `the table ${table} has lost its first row: drop the table, or restore it from a backup.`,
  });
}

/**
 * Begins the list of revocations in a new database, once, in the first schema of the `search_path`. It is no part of a
 * start, where it would turn the loss of all revocations, or a wrong database, into an empty list.
 *
 * @returns false if it was begun before; nothing is changed then.
 * @throws ConfigError if the database cannot be used.
 */
export async function beginPostgresRevocations(pool: PgPool): Promise<boolean> {
  const owner = 'beginPostgresRevocations';
  if (await hasTable(owner, pool, table)) return false;
  await ensureTable(owner, pool, table, tables);
  return true;
}

function feedIn(pool: PgPool): RevocationFeed {
  const write = async (
    version: (inTime: string) => string,
    entries: readonly RevocationEntry[],
    ...place: readonly (string | boolean)[]
  ): Promise<RevocationWrite | undefined> => {
    const mark = `!${randomUUID()}`;
    const values = [mark, ...columnsOf(entries), ...place];
    const [row] = await changedRows(pool, (inTime) => writeSql(version(inTime)), values);
    return typeof row?.['version'] === 'number' ? { version: row['version'], mark } : undefined;
  };
  return {
    async read(after, from = { version: (after?.version ?? -1) + 1, name: '' }) {
      const rows = await rowsOf(pool, readSql, [after?.mark ?? '', from.version, from.name]);
      const { version, mark, in_force: isUnfinished } = rows.find(({ name }) => name === '') ?? {};
      const isKnown = after === undefined || rows.some(({ name }) => name === after.mark);
      if (typeof version !== 'number' || typeof mark !== 'string' || !isKnown) return undefined;
      const named = rows.filter(isNamed);
      const next = named.length < pageLength ? undefined : placeOf(named.at(-1));
      return { newest: { version, mark }, isWhole: isUnfinished === false, entries: named.map(readEntry), next };
    },
    async write(entries, known) {
      const written = await write(nextVersion, entries, known.mark);
      await rowsOf(pool, sweepSql);
      return written;
    },
    writeBack: async ({ entries, after, begins, ends }) =>
      await (after === undefined
        ? write(anewVersion, entries, begins)
        : write(pageVersion, entries, after.mark, begins, ends)),
    watch: (listener) => listen(pool, table, listener),
  };
}

function isNamed({ name }: Row): boolean {
  return typeof name !== 'string' || (name !== '' && !name.startsWith('!'));
}

function readEntry({ name, until, in_force: inForce }: Row): RevocationEntry {
  const isEntry =
    typeof name === 'string' && typeof inForce === 'boolean' && (until === null || Number.isFinite(until));
  if (!isEntry) throw new TypeError(`a row of ${table} is no revocation`);
  return { name, inForce, until: until === null ? undefined : Number(until) };
}

function placeOf(row: Row | undefined): RevocationPlace {
  const { name, version } = row ?? {};
  if (typeof name !== 'string' || typeof version !== 'number') throw new TypeError(`a row of ${table} has no version`);
  return { name, version };
}

/** What was taken back stays for a day, so that each process learns of it. */
function columnsOf(entries: readonly RevocationEntry[]): readonly unknown[] {
  return [entries.map(({ name }) => name), entries.map(endOf), entries.map(({ inForce }) => inForce)];
}

function endOf({ inForce, until }: RevocationEntry): number | null {
  return inForce ? (until ?? null) : Math.floor(Date.now() / 1000);
}
