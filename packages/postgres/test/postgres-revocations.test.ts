import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { poolOf } from '../../../test/support/pools.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres.js';
import {
  freshAgent,
  itIsAListOfRevocations,
  lossy,
  revokedIn,
  type WriteFate,
} from '../../../test/support/shared-revocations.js';
import { beginPostgresRevocations, postgresRevocations } from '../src/index.js';
import type { PgPool } from '../src/pool.js';

const programs = findPostgres();
let backups = 0;

const fillSql = `WITH next AS (UPDATE countersign_revocations SET version = version + 1, mark = '!' || gen_random_uuid()
    WHERE name = '' RETURNING version, mark),
  marked AS (INSERT INTO countersign_revocations (name, in_force, version) SELECT mark, false, version FROM next)
  INSERT INTO countersign_revocations (name, in_force, version) SELECT unnest($1::text[]), true, version FROM next`;

/** As an application may wrap its pool. */
function losingPool(pool: pg.Pool, fate: () => WriteFate): PgPool {
  return {
    query: async (query) => {
      const send = async () => await pool.query(query as pg.QueryConfig);
      return await (/\$5::boolean|OR \$6/.test(query.text) ? lossy(fate(), send) : send());
    },
    connect: async () => await pool.connect(),
  };
}

describe.skipIf(programs === undefined)('postgresRevocations', () => {
  let server: PostgresServer;
  let pool: pg.Pool;

  beforeAll(async () => {
    server = await startPostgres(programs!);
    pool = poolOf(server, { max: 16, query_timeout: 1000 });
    await beginPostgresRevocations(pool);
  });
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  itIsAListOfRevocations(() => ({
    open: (options) => postgresRevocations(pool, options),
    openLosing: (fate, options) => postgresRevocations(losingPool(pool, fate), options),
    fill: (added) => pool.query({ text: fillSql, values: [added], query_timeout: 60_000 } as pg.QueryConfig),
    async begin() {
      await pool.query('DROP TABLE countersign_revocations');
      await beginPostgresRevocations(pool);
    },
    empty: () => pool.query('TRUNCATE countersign_revocations'),
    async backUp() {
      const backup = `backup_${backups++}`;
      await pool.query(`CREATE TABLE ${backup} AS TABLE countersign_revocations`);
      return () =>
        pool.query(`DELETE FROM countersign_revocations; INSERT INTO countersign_revocations TABLE ${backup}`);
    },
  }));

  it('tells other processes faster than they poll, also after its connection broke', async () => {
    await pool.query('DROP TABLE countersign_revocations');
    await beginPostgresRevocations(pool);
    const [one, other] = [await postgresRevocations(pool), await postgresRevocations(pool)];
    try {
      for (const breaks of [false, true]) {
        if (breaks) {
          await pool.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()",
          );
        }
        await vi.waitFor(async () => {
          const agent = freshAgent();
          await one.revoke(agent);
          const began = performance.now();
          await vi.waitFor(() => expect(revokedIn(other, agent)).toBe(agent), patiently);
          expect(performance.now() - began).toBeLessThan(250);
        }, patiently);
      }
    } finally {
      await Promise.all([one.close(), other.close()]);
    }
  });

  it('does not start, and makes no table, where no list was begun', async () => {
    const elsewhere = poolOf(server, { max: 2, options: '-c search_path=other' });
    await elsewhere.query('CREATE SCHEMA other');
    try {
      const start = () => postgresRevocations(elsewhere);
      for (const _twice of [1, 2]) await expect(start()).rejects.toThrow("'countersign revocations begin'");
      expect([await beginPostgresRevocations(elsewhere), await beginPostgresRevocations(elsewhere)]).toEqual([
        true,
        false,
      ]);
      await (await start()).close();
    } finally {
      await elsewhere.end();
    }
  });

  it('reads many revocations, also of one write, at the start and while it runs', async () => {
    const running = await postgresRevocations(pool);
    const known = running.list().length;
    await pool.query(`WITH next AS (UPDATE countersign_revocations SET version = version + 1 WHERE name = '' RETURNING version)
      INSERT INTO countersign_revocations (name, in_force, version)
      SELECT '["delegation","' || number || '"]', true, version FROM next, generate_series(1, 12345) AS number`);
    const starting = await postgresRevocations(pool);
    expect(starting.list()).toHaveLength(known + 12_345);
    await vi.waitFor(() => expect(running.list()).toHaveLength(known + 12_345), patiently);
    await Promise.all([running.close(), starting.close()]);
    await pool.query(`DELETE FROM countersign_revocations WHERE name LIKE '["delegation"%'`);
  });

  it('throws a ConfigError for a pool of one connection, which notices would hold', async () => {
    const narrow = poolOf(server, { max: 1 });
    try {
      await expect(postgresRevocations(narrow)).rejects.toMatchObject({ name: 'ConfigError', message: /max: 2/ });
    } finally {
      await narrow.end();
    }
  });

  it('closes within seconds while the server does not answer, also with a pool that waits for ever [L2]', async () => {
    const patient = poolOf(server, { connectionTimeoutMillis: 0, query_timeout: 0 });
    const source = await postgresRevocations(patient, { onTrouble: () => {} });
    await pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
    );
    await server.kill('SIGSTOP');
    try {
      // The polls and the connection for notices wait.
      await vi.waitFor(() => expect(patient.totalCount).toBeGreaterThan(1), patiently);
      const began = performance.now();
      await source.close();
      expect(performance.now() - began).toBeLessThan(5000);
    } finally {
      await server.kill('SIGCONT');
      await patient.end();
    }
  });

  it('misses no revocation whose transaction ends after that of a later one', async () => {
    const source = await postgresRevocations(pool);
    const writer = await pool.connect();
    const [slow, fast] = [freshAgent(), freshAgent()];
    const insert = `WITH next AS (UPDATE countersign_revocations SET version = version + 1 WHERE name = '' RETURNING version)
      INSERT INTO countersign_revocations (name, in_force, version) SELECT $1, true, version FROM next`;
    await writer.query('BEGIN');
    await writer.query(insert, [JSON.stringify(['agent', slow.agent])]);
    const second = source.revoke(fast).catch(() => undefined);
    await writer.query('COMMIT');
    writer.release();
    await second;
    await vi.waitFor(() => {
      expect([revokedIn(source, slow), revokedIn(source, fast)]).toEqual([slow, fast]);
    }, patiently);
    await source.close();
  });

  it('rejects when what it knows is too old, and recovers by itself with the server', async () => {
    const source = await postgresRevocations(pool, { maxStaleSeconds: 1, onTrouble: () => {} });
    const agent = freshAgent();
    await source.revoke(agent);
    await server.kill('SIGKILL');
    expect(revokedIn(source, agent)).toBe(agent);
    await vi.waitFor(() => expect(() => revokedIn(source, agent)).toThrow('too old'), patiently);
    await server.start();
    await vi.waitFor(() => expect(revokedIn(source, agent)).toBe(agent), patiently);
    await source.close();
  });
});
