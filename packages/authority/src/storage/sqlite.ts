import { createRequire } from 'node:module';
import { closeSync, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import { ConfigError, errorMessage } from '@countersign/common';
import type Libsql from 'libsql';
import { steadyClock } from './clock.js';
import { migrations, pendingMigrations, sqliteDdl } from './schema.js';
import { type LockFile, lockFile } from './sqlite-lock.js';
import { type Row, type SqlValue, type Statement, type Store, StoreUnavailable } from './store.js';

/** What is asked for in one turn of the event loop, to be committed together. */
interface Job {
  readonly statements: readonly Statement[];
  readonly resolve: (rows: readonly (readonly Row[])[] | undefined) => void;
  readonly reject: (error: unknown) => void;
}

type Answer = { readonly rows: readonly (readonly Row[])[] | undefined } | { readonly error: unknown };

/**
 * Opens the embedded store: one SQLite file, made if it is missing, readable by its owner only. `:memory:` keeps
 * everything in memory, for tests and trials. Each acknowledged write is on disk. One process at a time: a second one is
 * refused, by a lock on a file beside it.
 *
 * @throws ConfigError if the file is in use, cannot be opened, or comes from a newer version.
 *
 * @example
 * const store = await openSqlite('authority.db');
 */
export async function openSqlite(path: string): Promise<Store> {
  if (typeof path !== 'string' || path === '') throw new ConfigError('openSqlite: pass the path of a file.');
  let lock: LockFile | undefined;
  try {
    lock = path === ':memory:' ? undefined : lockFile(`${onlyNameOf(path)}.lock`);
    return sqliteStore(openDatabase(path), lock);
  } catch (error) {
    lock?.release();
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`openSqlite: '${path}' cannot be opened: ${errorMessage(error)}`);
  }
}

/** The name beside which the lock is, whatever links lead to the file. */
function onlyNameOf(path: string): string {
  // Made by us, so that nobody else can read it, not even for a moment. SQLite gives its other files the same mode.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  // SQLite keeps the newest changes in a file beside the name by which it was opened.
  if (statSync(path).nlink > 1)
    throw new ConfigError(`openSqlite: '${path}' has another name (a hard link). Remove it.`);
  return realpathSync.native(path);
}

export function openDatabase(path: string): Libsql.Database {
  // Loaded when first used: an authority on Postgres needs no native module.
  const Database = createRequire(import.meta.url)('libsql') as typeof Libsql;
  const db = new Database(path);
  // The time-out first: without it, switching to WAL fails while another process reads.
  for (const pragma of ['busy_timeout = 2000', 'journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON']) {
    db.exec(`PRAGMA ${pragma}`);
  }
  migrate(db);
  return db;
}

function migrate(db: Libsql.Database): void {
  const version = (db.prepare('PRAGMA user_version').get() as { readonly user_version: number }).user_version;
  const pending = pendingMigrations(version);
  if (pending === undefined) throw new ConfigError('openSqlite: a newer version of Countersign made this file.');
  if (pending.length === 0) return;
  db.exec(`BEGIN IMMEDIATE; ${pending.map(sqliteDdl).join('')} PRAGMA user_version = ${migrations.length}; COMMIT`);
}

function sqliteStore(db: Libsql.Database, lock: LockFile | undefined): Store {
  const prepared = new Map<string, (values: readonly SqlValue[]) => readonly Row[]>();
  const readClock = steadyClock();
  let queue: Job[] = [];
  let closed = false;

  function runNow({ text, values }: Statement): readonly Row[] {
    let run = prepared.get(text);
    if (run === undefined) prepared.set(text, (run = prepare(db, text)));
    return run(values);
  }

  /** All of a job or nothing of it. Other jobs of the same transaction are not touched. */
  function perform({ statements }: Job): Answer {
    db.exec('SAVEPOINT job');
    try {
      const rows: (readonly Row[])[] = [];
      for (const statement of statements) {
        const result = runNow(statement);
        if (statement.required === true && result.length === 0) {
          db.exec('ROLLBACK TO job; RELEASE job');
          return { rows: undefined };
        }
        rows.push(result);
      }
      db.exec('RELEASE job');
      return { rows };
    } catch (error) {
      db.exec('ROLLBACK TO job; RELEASE job');
      return { error };
    }
  }

  /** Group commit: one sync of the disk for all jobs that came in the same turn. */
  function flush(): void {
    const jobs = queue;
    queue = [];
    let answers: readonly Answer[];
    try {
      db.exec('BEGIN IMMEDIATE');
      answers = jobs.map(perform);
      db.exec('COMMIT');
    } catch (error) {
      try {
        db.exec('ROLLBACK');
      } catch {
        // There is no transaction to roll back.
      }
      answers = jobs.map(() => ({ error }));
    }
    for (const [index, job] of jobs.entries()) {
      const answer = answers[index];
      if (answer !== undefined && 'rows' in answer) job.resolve(answer.rows);
      else job.reject(new StoreUnavailable(errorMessage(answer?.error), { cause: answer?.error }));
    }
  }

  function submit(statements: readonly Statement[]): Promise<readonly (readonly Row[])[] | undefined> {
    if (closed) return Promise.reject(new StoreUnavailable('the store is closed'));
    return new Promise((resolve, reject) => {
      if (queue.length === 0) setImmediate(flush);
      queue.push({ statements, resolve, reject });
    });
  }

  return {
    async run(statement) {
      const rows = await submit([statement]);
      return rows?.[0] ?? [];
    },
    batch: submit,
    clock: async () => await Promise.resolve(readClock()),
    async close() {
      if (closed) return;
      // What was asked for before is still written.
      await submit([]);
      closed = true;
      prepared.clear();
      try {
        // So that whoever copies the file now has everything. All of it is on disk already if somebody else reads it now.
        db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } catch {
        // The next start reads the other file.
      }
      db.close();
      lock?.release();
    },
  };
}

function prepare(db: Libsql.Database, text: string): (values: readonly SqlValue[]) => readonly Row[] {
  const order: number[] = [];
  const positional = text
    .replaceAll(/ FOR (?:UPDATE|SHARE)/g, '') // SQLite has one writer at a time anyway
    .replaceAll(/\$(\d+)/g, (_, number: string) => {
      order.push(Number(number) - 1);
      return '?';
    });
  const statement = db.prepare(positional);
  return (values) => {
    const bound = order.map((index) => values[index] ?? null);
    if (statement.reader) return statement.all(...bound) as Row[];
    statement.run(...bound);
    return [];
  };
}
