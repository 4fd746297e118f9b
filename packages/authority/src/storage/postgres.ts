import { setTimeout } from 'node:timers/promises';
import { codeOf, ConfigError, errorMessage, withTimeout } from '@countersign/common';
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
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Any number, as long as all processes that migrate use the same one. */
const migrationLock = 7_263_114;
const timeoutMilliseconds = 5000;
const late = `Postgres did not answer within ${timeoutMilliseconds / 1000} s`;
/** Each statement sees what others committed before it, whatever the default is: whoever waited for a row sees it changed. */
const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED';
/** The server ends what takes too long as well, also if this process hangs in the middle of it. */
const beginInTime = `${begin}; SET LOCAL statement_timeout = ${timeoutMilliseconds};
  SET LOCAL idle_in_transaction_session_timeout = ${2 * timeoutMilliseconds}`;
/** Serialization failure, deadlock. */
const givenUp: ReadonlySet<string> = new Set(['40001', '40P01']);
const mostAttempts = 10;
const readClock = sql`SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp())) AS BIGINT) AS seconds`;
const heard = new WeakSet<PostgresPool>();
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
  if (typeof pool?.connect !== 'function' || typeof pool.on !== 'function') {
    throw new ConfigError("openPostgres: pass a Pool of 'pg'.");
  }
  // Without a listener, an idle connection that the server ends would end the process.
  if (!heard.has(pool)) pool.on('error', ignore);
  heard.add(pool);
  await migrate(pool);
  let closed = false;

  async function perform<Result>(work: (client: PostgresClient, clock: Clock) => Promise<Result>): Promise<Result> {
    if (closed) throw new StoreUnavailable('the store is closed');
    return await inTime(pool, work);
  }

  return {
    run: async (statement) => await perform(async (client) => await again(() => query(client, statement))),
    batch: async (statements) =>
      await perform(
        async (client, clock) =>
          await again(() => transaction(client, beginInTime, async () => await runAll(client, statements, clock))),
      ),
    async clock() {
      const [row] = await perform(async (client) => await query(client, readClock));
      return row === undefined ? Number.NaN : numberOf(row, 'seconds');
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
  clock: Clock,
): Promise<readonly (readonly Row[])[] | undefined> {
  const results: (readonly Row[])[] = [];
  for (const statement of statements) {
    const rows = await query(client, statement);
    if (statement.required === true && rows.length === 0) return undefined;
    results.push(rows);
  }
  // The request was refused with 503 meanwhile: it must not be done now.
  return clock.isOver ? undefined : results;
}

async function transaction<Result>(
  client: PostgresClient,
  beginning: string,
  work: () => Promise<Result | undefined>,
): Promise<Result | undefined> {
  await execute(client, beginning);
  try {
    const result = await work();
    await execute(client, result === undefined ? 'ROLLBACK' : 'COMMIT');
    return result;
  } catch (error) {
    // If even this fails, the connection is closed, which rolls back too.
    await execute(client, 'ROLLBACK').catch(ignore);
    throw error;
  }
}

/** Again, if Postgres gave a transaction up so that others could go on: a deadlock, or a stricter isolation by default. */
async function again<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === mostAttempts || !givenUp.has(codeOf(error) ?? '')) throw error;
      // Spread, because those that gave way to each other once would do so again.
      await setTimeout(Math.random() * 2 * attempt);
    }
  }
}

async function query(client: PostgresClient, { text, values }: Statement): Promise<readonly Row[]> {
  const { rows } = await client.query({ text, values: [...values], types });
  return rows as readonly Row[];
}

async function execute(client: PostgresClient, text: string, ...values: readonly number[]): Promise<void> {
  await client.query({ text, values: [...values] });
}

async function migrate(pool: PostgresPool): Promise<void> {
  let client: PostgresClient | undefined;
  try {
    const held = (client = await pool.connect());
    client.on('error', ignore);
    await transaction(held, begin, async () => {
      // Two processes that start at once would both create the tables.
      await execute(held, 'SELECT pg_advisory_xact_lock($1)', migrationLock);
      await execute(held, 'CREATE TABLE IF NOT EXISTS countersign_schema (version BIGINT NOT NULL)');
      const [row] = await query(held, sql`SELECT version FROM countersign_schema`);
      const pending = pendingMigrations(row === undefined ? 0 : numberOf(row, 'version'));
      if (pending === undefined)
        throw new ConfigError('openPostgres: a newer version of Countersign made these tables.');
      for (const step of pending) await execute(held, step);
      if (pending.length === 0) return true;
      await execute(held, 'DELETE FROM countersign_schema');
      await execute(held, 'INSERT INTO countersign_schema (version) VALUES ($1)', migrations.length);
      return true;
    });
    giveBack(client, false);
  } catch (error) {
    if (client !== undefined) giveBack(client, true);
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`openPostgres: the database cannot be used: ${errorMessage(error)}`);
  }
}

function ignore(): void {}

function giveBack(client: PostgresClient, isBroken: boolean): void {
  client.off('error', ignore);
  client.release(isBroken);
}

interface Clock {
  isOver: boolean;
}

/**
 * Works with a connection of its own for 5 seconds at most. What is not done by then is not done later either: a request
 * that waited for a connection does not begin, and the connection of another is closed, which gives its place back.
 */
async function inTime<Result>(
  pool: PostgresPool,
  work: (client: PostgresClient, clock: Clock) => Promise<Result>,
): Promise<Result> {
  const clock: Clock = { isOver: false };
  let held: PostgresClient | undefined;
  const settle = (isBroken: boolean): void => {
    if (held !== undefined) giveBack(held, isBroken);
    held = undefined;
  };

  async function perform(): Promise<Result> {
    const client = await pool.connect();
    if (clock.isOver) {
      client.release();
      throw new Error(late);
    }
    held = client;
    // A connection that ends while we hold it emits an error, which would end the process. The query rejects as well.
    client.on('error', ignore);
    return await work(client, clock);
  }

  try {
    const result = await withTimeout(timeoutMilliseconds, perform(), () => {
      throw new Error(late);
    });
    settle(false);
    return result;
  } catch (error) {
    clock.isOver = true;
    settle(true);
    throw new StoreUnavailable(errorMessage(error), { cause: error });
  }
}
