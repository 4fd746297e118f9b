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
  checkPool(owner, pool);
  try {
    const [found] = await rowsOf(pool, 'SELECT to_regclass($1)::text AS name', [table]);
    if (typeof found?.['name'] === 'string') return;
    // One implicit transaction. Two processes that start at once would both create the table.
    await rowsOf(pool, `SELECT pg_advisory_xact_lock(${lock});\n${statements}`);
  } catch (error) {
    throw new ConfigError(`${owner}: the database cannot be used: ${errorMessage(error)}`);
  }
}
