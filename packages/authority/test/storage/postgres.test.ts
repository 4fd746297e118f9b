import { ConfigError } from '@countersign/common';
import { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { openPostgres } from '../../src/storage/postgres.js';
import { sql, StoreUnavailable } from '../../src/storage/store.js';
import { emptyDatabase, engines } from '../support/stores.js';

describe.skipIf(engines[1]?.skip)('openPostgres', () => {
  it('makes the tables once when several processes start at once', async () => {
    const pool = await emptyDatabase();
    const stores = await Promise.all([openPostgres(pool), openPostgres(pool), openPostgres(pool)]);
    for (const store of stores) expect(await store.run(sql`SELECT id FROM countersign_agents`)).toEqual([]);
  });

  it('refuses tables of a newer version', async () => {
    const pool = await emptyDatabase();
    await openPostgres(pool);
    await pool.query('UPDATE countersign_schema SET version = 99');
    await expect(openPostgres(pool)).rejects.toThrow(/newer version/);
  });

  it('leaves the pool of the application open when it closes', async () => {
    const pool = await emptyDatabase();
    await (await openPostgres(pool)).close();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('is unavailable, and leaves nothing half done, when its connection is killed', async () => {
    const pool = await emptyDatabase();
    const store = await openPostgres(pool);
    const killed = store.batch([
      sql`INSERT INTO countersign_one_time (purpose, id, expires_at) VALUES ('assertion', 'a', 1)`,
      sql`SELECT pg_terminate_backend(pg_backend_pid())`,
    ]);
    await expect(killed).rejects.toThrow(StoreUnavailable);
    expect(await store.run(sql`SELECT id FROM countersign_one_time`)).toEqual([]);
  });
});

it('openPostgres says what is wrong when no server answers', async () => {
  const pool = new Pool({ host: '/nonexistent', connectionTimeoutMillis: 500 });
  await expect(openPostgres(pool)).rejects.toThrow(ConfigError);
  await pool.end();
});
