import { ConfigError, errorMessage, withTimeout } from '@countersign/common';
import { migrations, pendingMigrations } from './schema.js';
import { numberOf, type Row, sql, type Statement, type Store, StoreUnavailable } from './store.js';

/** A query of `pg`. */
export interface PostgresQuery {
  readonly text: string;
  readonly values: unknown[];
  readonly types?: { readonly getTypeParser: (oid: number) => (value: string) => unknown };
}

/** What is used of a client of `pg`. Written out, so that an application without `pg` needs no types of it. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<{ readonly rows: unknown[] }>;
  release(destroy?: boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** What is used of a `Pool` of `pg`. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  query(query: PostgresQuery): Promise<{ readonly rows: unknown[] }>;
}

/** Any number, as long as all processes that migrate use the same one. */
const migrationLock = 7_263_114;
const timeoutMilliseconds = 5000;
/** The OID of BIGINT, which the driver gives as text. Our times and indexes are far below 2^53. */
const bigint = 20;
// All other columns are TEXT.
const types = { getTypeParser: (oid: number) => (oid === bigint ? Number : String) };

/**
 * Opens a store in Postgres 12 or newer, through the application's pool of `pg`. Its tables begin with `countersign_`, in the
 * first schema of the `search_path`; missing ones are made. Closing the store leaves the pool open.
 *
 * @throws ConfigError if the database cannot be used, or comes from a newer version.
 *
 * @example
 * const store = await openPostgres(new pg.Pool({ connectionString }));
 */
export async function openPostgres(pool: PostgresPool): Promise<Store> {
  if (typeof pool?.connect !== 'function') throw new ConfigError("openPostgres: pass a Pool of 'pg'.");
  await migrate(pool);
  let closed = false;

  return {
    async run(statement) {
      if (closed) throw new StoreUnavailable('the store is closed');
      return await inTime(query(pool, statement));
    },
    async batch(statements) {
      if (closed) throw new StoreUnavailable('the store is closed');
      return await inTime(transaction(pool, (client) => runAll(client, statements)));
    },
    async close() {
      closed = true;
    },
  };
}

/** Undefined rolls back. */
async function runAll(
  client: PostgresClient,
  statements: readonly Statement[],
): Promise<readonly (readonly Row[])[] | undefined> {
  const results: (readonly Row[])[] = [];
  for (const statement of statements) {
    const rows = await query(client, statement);
    if (statement.required === true && rows.length === 0) return undefined;
    results.push(rows);
  }
  return results;
}

async function transaction<Result>(
  pool: PostgresPool,
  work: (client: PostgresClient) => Promise<Result | undefined>,
): Promise<Result | undefined> {
  const client = await pool.connect();
  // A connection that ends while we hold it emits an error, which would end the process. The query rejects as well.
  client.on('error', ignore);
  let broken: Error | boolean = true;
  try {
    await execute(client, 'BEGIN');
    const result = await work(client);
    await execute(client, result === undefined ? 'ROLLBACK' : 'COMMIT');
    broken = false;
    return result;
  } catch (error) {
    // If even this fails, the connection is closed, which rolls back too.
    broken = await execute(client, 'ROLLBACK').then(
      () => false,
      () => true,
    );
    throw error;
  } finally {
    client.off('error', ignore);
    client.release(broken);
  }
}

async function query(client: Pick<PostgresPool, 'query'>, { text, values }: Statement): Promise<readonly Row[]> {
  const { rows } = await client.query({ text, values: [...values], types });
  return rows as readonly Row[];
}

async function execute(client: PostgresClient, text: string, ...values: readonly number[]): Promise<void> {
  await client.query({ text, values: [...values] });
}

async function migrate(pool: PostgresPool): Promise<void> {
  try {
    await transaction(pool, async (client) => {
      // Two processes that start at once would both create the tables.
      await execute(client, 'SELECT pg_advisory_xact_lock($1)', migrationLock);
      await execute(client, 'CREATE TABLE IF NOT EXISTS countersign_schema (version BIGINT NOT NULL)');
      const [row] = await query(client, sql`SELECT version FROM countersign_schema`);
      const pending = pendingMigrations(row === undefined ? 0 : numberOf(row, 'version'));
      if (pending === undefined)
        throw new ConfigError('openPostgres: a newer version of Countersign made these tables.');
      for (const step of pending) await execute(client, step);
      if (pending.length === 0) return true;
      await execute(client, 'DELETE FROM countersign_schema');
      await execute(client, 'INSERT INTO countersign_schema (version) VALUES ($1)', migrations.length);
      return true;
    });
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`openPostgres: the database cannot be used: ${errorMessage(error)}`);
  }
}

function ignore(): void {}

async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await withTimeout(timeoutMilliseconds, work, () => {
      throw new Error(`Postgres did not answer within ${timeoutMilliseconds / 1000} s`);
    });
  } catch (error) {
    throw new StoreUnavailable(errorMessage(error), { cause: error });
  }
}
