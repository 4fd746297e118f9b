import { ConfigError } from '@countersign/common';
import { Pool } from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { takeOnce } from '../../src/storage/one-time.js';
import { openPostgres } from '../../src/storage/postgres.js';
import { migrations } from '../../src/storage/schema.js';
import { sql, type Store, StoreUnavailable } from '../../src/storage/store.js';
import { emptyDatabase, engines } from '../support/stores.js';

const insert = (id: string) =>
  sql`INSERT INTO countersign_one_time (purpose, id, expires_at) VALUES ('assertion', ${id}, 1)`;
const touch = (id: string) => sql`UPDATE countersign_one_time SET expires_at = expires_at + 1 WHERE id = ${id}`;
const idsIn = async (store: Store) =>
  (await store.run(sql`SELECT id FROM countersign_one_time ORDER BY id`)).map(({ id }) => id);

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

  it('says of delegations of an older version that they were granted when they were made', async () => {
    const pool = await emptyDatabase();
    for (const step of migrations.slice(0, 10)) await pool.query(step);
    await pool.query('CREATE TABLE countersign_schema (version BIGINT NOT NULL)');
    await pool.query('INSERT INTO countersign_schema (version) VALUES (10)');
    await pool.query(`INSERT INTO countersign_delegations
      (id, issuer, subject, actor, thumbprint, claims, expires_at, created_at)
      VALUES ('old', 'i', 's', 'a', '', '{}', 2000, 1000)`);
    const store = await openPostgres(pool);
    expect(await store.run(sql`SELECT granted_at FROM countersign_delegations`)).toEqual([{ granted_at: 1000 }]);
  });

  it('says of approvals of an older version that their agents may have them', async () => {
    const pool = await emptyDatabase();
    for (const step of migrations.slice(0, 14)) await pool.query(step);
    await pool.query('CREATE TABLE countersign_schema (version BIGINT NOT NULL)');
    await pool.query('INSERT INTO countersign_schema (version) VALUES (14)');
    await pool.query(`INSERT INTO countersign_approvals
      (id, binding, agent, tenant, request, status, version, asked_at, decide_by, ended_at, broke_glass)
      VALUES ('a', 'b', 'c', '', '{}', 'approved', 1, 1000, 3000, 2000, 0), ('b', 'b', 'c', '', '{}', 'denied', 1, 1000, 3000, 2000, 0)`);
    const store = await openPostgres(pool);
    const rows = await store.run(sql`SELECT signed_at, recount FROM countersign_approvals ORDER BY id`);
    expect(rows).toEqual([
      { signed_at: 2000, recount: 0 },
      { signed_at: null, recount: 0 },
    ]);
  });

  it('leaves the pool of the application open when it closes', async () => {
    const pool = await emptyDatabase();
    await (await openPostgres(pool)).close();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('does not do later what it refused because no connection was free', async () => {
    const pool = new Pool({ ...(await emptyDatabase()).options, max: 1 });
    onTestFinished(() => pool.end());
    const store = await openPostgres(pool);
    const held = await pool.connect();
    const refused = [store.run(insert('a')), store.batch([insert('b')])];
    for (const each of refused) await expect(each).rejects.toThrow(/within 5 s/);
    held.release();
    await store.run(insert('c'));
    expect(await idsIn(store)).toEqual(['c']);
  });

  it('does not do later what it refused because a row was locked, and waits for no row without end', async () => {
    const pool = await emptyDatabase();
    const store = await openPostgres(pool);
    await store.run(insert('a'));
    const other = await pool.connect();
    await other.query('BEGIN');
    await other.query('SELECT id FROM countersign_one_time FOR UPDATE');
    const locked = sql`UPDATE countersign_one_time SET expires_at = 2 WHERE id = 'a' RETURNING id`;
    await expect(store.batch([insert('b'), locked, insert('c')])).rejects.toThrow(StoreUnavailable);
    await other.query('COMMIT');
    other.release();
    await vi.waitFor(async () => {
      const { rows } = await pool.query(`SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`);
      expect(rows).toEqual([]);
    }, patiently);
    expect(await store.run(sql`SELECT id, expires_at FROM countersign_one_time`)).toEqual([{ id: 'a', expires_at: 1 }]);
  });

  it('does all of what deadlocks, one after the other', async () => {
    const store = await openPostgres(await emptyDatabase());
    await store.batch([insert('a'), insert('b')]);
    const both = [
      [touch('a'), sql`SELECT pg_sleep(0.05)`, touch('b')],
      [touch('b'), sql`SELECT pg_sleep(0.05)`, touch('a')],
    ];
    await Promise.all(both.map(async (statements) => await store.batch(statements)));
    expect(await store.run(sql`SELECT expires_at FROM countersign_one_time`)).toEqual([
      { expires_at: 3 },
      { expires_at: 3 },
    ]);
  });

  it.each(['serializable', 'repeatable read'])('works where transactions are %s by default', async (level) => {
    const pool = await emptyDatabase();
    await pool.query(`ALTER DATABASE ${pool.options.database} SET default_transaction_isolation = '${level}'`);
    const fresh = new Pool(pool.options);
    onTestFinished(() => fresh.end());
    const [store] = await Promise.all([openPostgres(fresh), openPostgres(fresh), openPostgres(fresh)]);
    for (let round = 0; round < 5; round++) {
      const taking = Array.from({ length: 20 }, () => takeOnce(store, 'assertion', `id-${round}`, 2000));
      expect((await Promise.all(taking)).filter(Boolean)).toHaveLength(1);
      const one = touch(`id-${round}`);
      await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? store.run(one) : store.batch([one]))));
      const [row] = await store.run(sql`SELECT expires_at FROM countersign_one_time WHERE id = ${`id-${round}`}`);
      expect(row).toEqual({ expires_at: 2020 });
    }
  });

  it('goes on when the server ends idle connections of a pool that nobody listens to', async () => {
    const other = await emptyDatabase();
    const pool = new Pool(other.options);
    onTestFinished(() => pool.end());
    const store = await openPostgres(pool);
    await store.run(insert('a'));
    await other.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`);
    await vi.waitFor(() => expect(pool.totalCount).toBe(0), patiently);
    expect(await idsIn(store)).toEqual(['a']);
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
