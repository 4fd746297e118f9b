import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { poolOf } from '../../../test/support/pools.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres.js';
import { freshProof, itIsAReplayStore } from '../../../test/support/shared-replay.js';
import { postgresReplay } from '../src/index.js';

const programs = findPostgres();
const options = { clockSkewSeconds: 0, timeoutSeconds: 0.5 };

describe.skipIf(programs === undefined)('postgresReplay', () => {
  let server: PostgresServer;
  let pool: Pool;

  beforeAll(async () => {
    server = await startPostgres(programs!);
    pool = poolOf(server);
  });
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  itIsAReplayStore(() => ({ open: (change) => postgresReplay(pool, { ...options, ...change }) }));

  it('makes its table once when many processes start at the same moment', async () => {
    await pool.query('DROP TABLE IF EXISTS countersign_used');
    const stores = await Promise.all(Array.from({ length: 6 }, () => postgresReplay(pool, options)));
    const proof = freshProof();
    const results = await Promise.all(stores.map(async (store) => await store.reserve(proof)));
    expect(results.toSorted()).toEqual([...Array.from({ length: 5 }, () => 'replayed'), 'reserved']);
  });

  it('goes on when the server ends idle connections of a pool that nobody listens to', async () => {
    const own = new Pool({ ...server.connection, application_name: 'unheard' });
    const store = await postgresReplay(own, { clockSkewSeconds: 0 });
    await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'unheard'`);
    await vi.waitFor(() => expect(own.totalCount).toBe(0), patiently);
    expect(await store.reserve(freshProof())).toBe('reserved');
    await own.end();
  });

  const losses: Readonly<Record<string, () => Promise<unknown>>> = {
    TRUNCATE: () => pool.query('TRUNCATE countersign_used'),
    DELETE: () => pool.query('DELETE FROM countersign_used'),
    'a crash of one backend': async () => {
      const client = new Client({ ...server.connection });
      client.on('error', () => {});
      await client.connect();
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      process.kill(rows[0]!.pid, 'SIGKILL');
      await client.end().catch(() => undefined);
    },
    'a crash of the server': async () => {
      await server.kill('SIGKILL');
      await server.start();
    },
  };

  it.each(Object.keys(losses))(
    'refuses once what was signed before %s, and accepts what is signed after',
    async (name) => {
      const store = await postgresReplay(pool, options);
      const used = freshProof();
      expect(await store.reserve(used)).toBe('reserved');
      await losses[name]!();
      // Until the server is back, it rejects; until it has emptied the table, the nonce is there.
      await vi.waitFor(async () => {
        expect(await store.reserve({ ...used, nonce: freshProof().nonce, now: Date.now() / 1000 })).toBe(
          'before_epoch',
        );
      }, patiently);
      expect(await store.reserve({ ...used, now: Date.now() / 1000 })).toBe('before_epoch');
      await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
    },
  );

  it.each(['TRUNCATE', 'DELETE FROM'])(
    'refuses what was used before a %s that is still being committed',
    async (statement) => {
      const store = await postgresReplay(pool, { clockSkewSeconds: 0 });
      const used = await vi.waitFor(async () => {
        const proof = freshProof();
        expect(await store.reserve(proof)).toBe('reserved');
        return proof;
      }, patiently);
      const holder = await pool.connect();
      await holder.query(`BEGIN; ${statement} countersign_used`);
      let result: string | undefined;
      const replay = (async () => (result = await store.reserve({ ...used, now: Date.now() / 1000 })))();
      await vi.waitUntil(async () => {
        const { rows } = await holder.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        return rows.length > 0 || result !== undefined;
      }, patiently);
      await holder.query('COMMIT');
      holder.release();
      expect(await replay).toBe(statement === 'TRUNCATE' ? 'before_epoch' : 'replayed');
    },
  );

  it.each([
    ['a new table', ['--clean'], ''],
    ['the emptied table', ['--data-only'], 'TRUNCATE countersign_used'],
  ])('refuses what was used since a dump that is restored into %s', async (_, flags, before) => {
    const store = await postgresReplay(pool, options);
    await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
    const dump = runProgram('pg_dump', ['--table', 'countersign_used', ...flags]);
    const used = freshProof();
    expect(await store.reserve(used)).toBe('reserved');
    await pool.query(before);
    runProgram('psql', ['--quiet', '--set', 'ON_ERROR_STOP=1'], dump);
    expect(await store.reserve({ ...used, now: Date.now() / 1000 })).toBe('before_epoch');
    await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
  });

  it('refuses what was used since a dump without owners that is restored into a fresh cluster, which counts alike', async () => {
    const [old, fresh] = [await startPostgres(programs!), await startPostgres(programs!)];
    const [oldPool, freshPool] = [poolOf(old), poolOf(fresh)];
    const store = await postgresReplay(oldPool, options);
    const dump = runProgram('pg_dump', ['--no-owner'], '', old);
    const used = freshProof();
    expect(await store.reserve(used)).toBe('reserved');
    runProgram('psql', ['--quiet', '--set', 'ON_ERROR_STOP=1'], dump, fresh);
    const restored = await postgresReplay(freshPool, options);
    expect(await restored.reserve({ ...used, now: Date.now() / 1000 })).toBe('before_epoch');
    await Promise.all([oldPool.end(), freshPool.end()]);
    await Promise.all([old.stop(), fresh.stop()]);
  });

  it('refuses what was used since its database was copied', async () => {
    await pool.query('CREATE DATABASE original');
    const first = poolOf(server, { database: 'original' });
    await postgresReplay(first, options);
    await first.end();
    await pool.query('CREATE DATABASE copied TEMPLATE original');
    const [original, copied] = [poolOf(server, { database: 'original' }), poolOf(server, { database: 'copied' })];
    const used = freshProof();
    expect(await (await postgresReplay(original, options)).reserve(used)).toBe('reserved');
    const copy = await postgresReplay(copied, options);
    expect(await copy.reserve({ ...used, now: Date.now() / 1000 })).toBe('before_epoch');
    await Promise.all([original.end(), copied.end()]);
  });

  function runProgram(name: string, flags: readonly string[], input = '', { connection } = server): string {
    const { host, user, database } = connection;
    const args = ['--host', host, '--username', user, '--dbname', database, ...flags];
    const run = spawnSync(join(programs!, name), args, { input, encoding: 'utf8' });
    expect(run.stderr).toBe('');
    return run.stdout;
  }

  it('remembers nonces when its table is rewritten', async () => {
    const store = await postgresReplay(pool, options);
    const used = await vi.waitFor(async () => {
      const proof = freshProof();
      expect(await store.reserve(proof)).toBe('reserved');
      return proof;
    }, patiently);
    for (const statement of ['VACUUM FREEZE countersign_used', 'VACUUM FULL countersign_used']) {
      await pool.query(statement);
      expect(await store.reserve(used)).toBe('replayed');
      expect(await store.reserve(freshProof({ created: used.created }))).toBe('reserved');
    }
  });

  it('remembers nonces through a clean restart', async () => {
    const store = await postgresReplay(pool, options);
    const used = freshProof();
    expect(await store.reserve(used)).toBe('reserved');
    await server.shutDown();
    await expect(store.reserve(freshProof())).rejects.toThrow();
    await server.start();
    await vi.waitFor(async () => expect(await store.reserve(used)).toBe('replayed'), patiently);
  });

  it('rejects within its time limit while its table is locked, and recovers by itself [A10]', async () => {
    const store = await postgresReplay(pool, options);
    const holder = await pool.connect();
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE countersign_used');
    const used = freshProof();
    await expect(store.reserve(used)).rejects.toThrow('did not answer within 0.5 s');
    await holder.query('COMMIT');
    holder.release();
    // It was executed once the lock was free, although nobody waited any more.
    await vi.waitFor(async () => expect(await store.reserve(used)).toBe('replayed'), patiently);
    expect(await store.reserve(freshProof())).toBe('reserved');
  });

  it('removes what has ended, and never its epoch', async () => {
    const store = await postgresReplay(pool, options);
    for (let count = 0; count < 20; count++) await store.reserve(freshProof({ until: 0, keyId: 'ended' }));
    await vi.waitFor(async () => {
      await store.reserve(freshProof());
      const { rows } = await pool.query("SELECT DISTINCT owner FROM countersign_used WHERE owner IN ('', 'ended')");
      expect(rows).toEqual([{ owner: '' }]);
    }, patiently);
  });

  it('works for a user that may create nothing, once the table is there', async () => {
    await postgresReplay(pool, options);
    await pool.query(`DO $$ BEGIN CREATE ROLE api LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
      GRANT SELECT, INSERT, UPDATE, DELETE ON countersign_used TO api`);
    const narrow = poolOf(server, { user: 'api' });
    try {
      const store = await postgresReplay(narrow, options);
      expect(await store.reserve(freshProof())).toBe('reserved');
    } finally {
      await narrow.end();
    }
  });

  it('has one winner for each nonce whatever isolation the database has by default [A10]', async () => {
    const strict = poolOf(server, { options: '-c default_transaction_isolation=serializable' });
    try {
      const store = await postgresReplay(strict, options);
      const proof = freshProof();
      const results = await Promise.all(
        Array.from({ length: 20 }, () => Promise.resolve(store.reserve(proof)).catch(() => 'rejected')),
      );
      expect(results.filter((result) => result === 'reserved').length).toBeLessThanOrEqual(1);
      expect(await store.reserve(proof)).toBe('replayed');
    } finally {
      await strict.end();
    }
  });
});

describe('postgresReplay without a server', () => {
  it('throws a ConfigError', async () => {
    await expect(postgresReplay({} as never)).rejects.toThrow("pass a Pool of 'pg'");
    const pool = new Pool({ host: '/nowhere', user: 'nobody' });
    await expect(postgresReplay(pool, options)).rejects.toMatchObject({ name: 'ConfigError' });
    await expect(postgresReplay(pool, { timeout: 1 } as never)).rejects.toThrow('timeout');
  });
});
