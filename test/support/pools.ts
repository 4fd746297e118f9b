import { Pool, type PoolConfig } from 'pg';
import type { PostgresServer } from './postgres.js';

/** A pool as the application would make it. */
export function poolOf({ connection }: PostgresServer, change: PoolConfig = {}): Pool {
  const pool = new Pool({ ...connection, max: 8, connectionTimeoutMillis: 1000, query_timeout: 2000, ...change });
  // Without a listener, an outage ends the process.
  pool.on('error', () => {});
  return pool;
}
