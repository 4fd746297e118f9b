import { ConfigError, errorMessage } from '@countersign/common';
import type { AgentsFromDatabaseOptions } from '@countersign/core';
import {
  keyTaken,
  lostAgents,
  type SharedAgents,
  sharedAgents,
  SharedStoreUnavailable,
  tooLate,
} from '@countersign/stores';
import { changedRows, changedRowsAfter, type SqlText } from './changes.js';
import { ensureTable, hasTable } from './ensure-table.js';
import { type PgPool, type Row, rowsOf } from './pool.js';

const table = 'countersign_registered';

const tables = `CREATE TABLE IF NOT EXISTS ${table} (id TEXT COLLATE "C" PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ${table}_keys (thumbprint TEXT COLLATE "C" PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL REFERENCES ${table} (id) ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS ${table}_keys_id ON ${table}_keys (id);`;

/** The agent without an id and its key without a thumbprint exist once the list was begun. Emptying a table takes them. */
const beginSql = (inTime: string): string => `WITH made AS (SELECT '' AS id WHERE ${inTime}),
  agent AS (INSERT INTO ${table} (id, entry) SELECT id, '' FROM made ON CONFLICT DO NOTHING),
  key AS (INSERT INTO ${table}_keys (thumbprint, id) SELECT '', id FROM made ON CONFLICT DO NOTHING RETURNING id)
SELECT EXISTS (SELECT FROM key) AS begun, EXISTS (SELECT FROM made) AS made`;

const findByIdSql = `SELECT id AS name, entry FROM ${table} WHERE id IN ('', $1)`;
const findByKeySql = `SELECT thumbprint AS name, entry FROM ${table}_keys LEFT JOIN ${table} USING (id) WHERE thumbprint IN ('', $1)`;

/** One change at a time. It waits here for the ones before it. */
const lockSql = `SELECT FROM ${table}_keys WHERE thumbprint = '' FOR UPDATE`;

/** Locked again for a list that began after `lockSql` had looked. */
const begun = (inTime: string): string => `list AS (SELECT id FROM ${table}_keys WHERE thumbprint = '' FOR UPDATE),
  begun AS (SELECT id FROM list WHERE ${inTime})`;
const result = 'SELECT EXISTS (SELECT FROM begun) AS made FROM list';

/** A key of another agent violates the primary key, and then nothing is changed. */
const putSql = (inTime: string): string => `WITH ${begun(inTime)},
  gone AS (DELETE FROM ${table}_keys USING begun WHERE ${table}_keys.id = $1 AND thumbprint <> ALL ($3::text[])),
  agent AS (INSERT INTO ${table} (id, entry) SELECT $1, $2 FROM begun ON CONFLICT (id) DO UPDATE SET entry = excluded.entry),
  keys AS (INSERT INTO ${table}_keys (thumbprint, id) SELECT key, $1 FROM begun, unnest($3::text[]) AS key
    WHERE NOT EXISTS (SELECT FROM ${table}_keys WHERE thumbprint = key AND id = $1))
${result}`;

const removeSql = (inTime: string): string => `WITH ${begun(inTime)},
  gone AS (DELETE FROM ${table} WHERE id = $1 AND id <> '' AND EXISTS (SELECT FROM begun))
${result}`;

const uniqueViolation = '23505';
const lost = lostAgents('this database', 'beginPostgresAgents(pool)');

/**
 * The agents of all processes, in Postgres. Each request asks for its agent, unless `cacheSeconds` is set. Tables that lost
 * them are an outage (503), because an issuer may vouch for an unknown agent. The options are those of `agentsFromDatabase`.
 *
 * @throws ConfigError if the database cannot be used, or `beginPostgresAgents` was never called for it.
 *
 * @example
 * const agents = await postgresAgents(pool); // createGuard({ …, agents })
 * await agents.put({ id: 'agent-1', publicKey, capabilities: ['repo:read'] });
 */
export async function postgresAgents(pool: PgPool, options: AgentsFromDatabaseOptions = {}): Promise<SharedAgents> {
  const owner = 'postgresAgents';
  const find = async (sql: string, name: string): Promise<string | undefined> => {
    const rows = await rowsOf(pool, sql, [name]);
    const found = rows.find((row) => row['name'] !== '');
    const entry = found?.['entry'];
    const isBegun = rows.some((row) => row['name'] === '');
    if (isBegun && (found === undefined || typeof entry === 'string')) return entry as string | undefined;
    throw new SharedStoreUnavailable(lost);
  };
  const agents = sharedAgents(
    {
      find: async ({ thumbprint, id }) =>
        await (thumbprint === undefined ? find(findByIdSql, id) : find(findByKeySql, thumbprint)),
      put: async (id, entry, thumbprints) => await change(pool, putSql, [id, entry, thumbprints]),
      remove: async (id) => await change(pool, removeSql, [id]),
    },
    options,
  );
  if (!(await hasTable(owner, pool, table))) throw new ConfigError(`${owner}: ${lost}`);
  await find(findByKeySql, '').catch((error: unknown) => {
    throw new ConfigError(`${owner}: ${errorMessage(error)}`);
  });
  return agents;
}

/**
 * Begins the list of agents in a new database, once, in the first schema of the `search_path`. It is no part of a start or
 * of `put`, where it would turn the loss of suspended agents into a list without them.
 *
 * @returns false if it was begun before; nothing is changed then.
 * @throws ConfigError if the database cannot be used.
 */
export async function beginPostgresAgents(pool: PgPool): Promise<boolean> {
  const owner = 'beginPostgresAgents';
  await ensureTable(owner, pool, table, tables);
  try {
    return madeRow(await changedRows(pool, beginSql))['begun'] === true;
  } catch (error) {
    throw new ConfigError(`${owner}: the database cannot be used: ${errorMessage(error)}`);
  }
}

async function change(pool: PgPool, sql: (inTime: string) => string, values: readonly SqlText[]): Promise<void> {
  try {
    madeRow(await changedRowsAfter(pool, lockSql, sql, values));
  } catch (error) {
    if ((error as { readonly code?: unknown } | undefined)?.code !== uniqueViolation) throw error;
    throw new SharedStoreUnavailable(keyTaken);
  }
}

function madeRow([row]: readonly Row[]): Row {
  if (row === undefined) throw new SharedStoreUnavailable(lost);
  if (row['made'] !== true) throw new SharedStoreUnavailable(tooLate);
  return row;
}
