import { ConfigError, errorMessage } from '@countersign/common';
import { checkPool, type PgPool, rowsOf } from './pool.js';

/** Any number, as long as all processes that make tables use the same one. */
const lock = 7_263_115;

/**
 * Makes a table with what belongs to it, unless it is there: a user that may not create tables can use one that was made
 * before.
 *
 * @throws ConfigError if the database cannot be used.
 */
export async function ensureTable(owner: string, pool: PgPool, table: string, statements: string): Promise<void> {
  if (await hasTable(owner, pool, table)) return;
  try {
    // One implicit transaction. Two processes that start at once would both create the table.
    await rowsOf(pool, `SELECT pg_advisory_xact_lock(${lock});\n${statements}`);
  } catch (error) {
    throw unusable(owner, error);
  }
}

/**
 * Whether the schemas of the `search_path` have a table.
 *
 * @throws ConfigError if the database cannot be used.
 */
export async function hasTable(owner: string, pool: PgPool, table: string): Promise<boolean> {
  checkPool(owner, pool);
  try {
    const [found] = await rowsOf(pool, 'SELECT to_regclass($1)::text AS name', [table]);
    return typeof found?.['name'] === 'string';
  } catch (error) {
    throw unusable(owner, error);
  }
}

function unusable(owner: string, error: unknown): ConfigError {
  return new ConfigError(`${owner}: the database cannot be used: ${errorMessage(error)}`);
}
