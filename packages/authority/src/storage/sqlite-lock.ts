import { createRequire } from 'node:module';
import { ConfigError, errorMessage } from '@countersign/common';
import type Libsql from 'libsql';

export interface LockFile {
  release(): void;
}

/**
 * Locks a file of its own, until released or until the process ends, however it ends. The data file is not locked: when
 * any part of the holder's process reads and closes it, POSIX drops the lock without a word.
 *
 * @throws ConfigError if another holds it.
 */
export function lockFile(path: string): LockFile {
  const Database = createRequire(import.meta.url)('libsql') as typeof Libsql;
  let db: Libsql.Database | undefined;
  try {
    db = new Database(path);
    db.exec('PRAGMA busy_timeout = 0');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    if (/locked|busy/i.test(errorMessage(error))) {
      throw new ConfigError(
        `openSqlite: '${path}' is locked, so another authority uses the database beside it. Stop that one.`,
      );
    }
    throw new ConfigError(`openSqlite: '${path}' cannot be locked: ${errorMessage(error)}`);
  }
  const held = db;
  return { release: () => held.close() };
}
