import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { poolOf } from '../../../test/support/pools.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres.js';
import { postgresApprovalUses } from '../src/index.js';
import type { ApprovalUses } from '@countersign/core';

const programs = findPostgres();
const table = 'countersign_used_approvals';
let count = 0;

/** By its time it is from after the table began, however long that took. */
function approval(ahead = 30) {
  const now = Date.now() / 1000;
  const id = `approval-${(count += 1)}`;
  return { issuer: 'https://id.acme.dev', id, issuedAt: now + ahead, clockSkewSeconds: 0, until: now + 3600, now };
}

type Used = ReturnType<typeof approval>;

/** The guard says when it asks. */
async function use(store: ApprovalUses, used: Used): Promise<string> {
  return await store.use({ ...used, now: Date.now() / 1000 });
}

/** An approval of now that was used, after the table began. */
async function usedIn(store: ApprovalUses): Promise<Used> {
  return await vi.waitFor(async () => {
    const used = approval(0);
    expect(await use(store, used)).toBe('first');
    return used;
  }, patiently);
}

describe.skipIf(programs === undefined)('postgresApprovalUses', () => {
  let server: PostgresServer;
  let pool: pg.Pool;

  beforeAll(async () => {
    server = await startPostgres(programs!);
    pool = poolOf(server, { max: 8 });
  });
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  beforeEach(async () => {
    await pool.query(`DROP TABLE IF EXISTS ${table}`);
  });

  it('lets one of many concurrent uses through, in all processes [C11]', async () => {
    const stores = [await postgresApprovalUses(pool), await postgresApprovalUses(pool)] as const;
    const used = approval();
    const results = await Promise.all(
      stores.flatMap((store) => Array.from({ length: 20 }, async () => await use(store, used))),
    );
    expect(results.filter((result) => result !== 'repeated')).toEqual(['first']);
    expect(await use(stores[1], { ...used, issuer: 'https://id.partner.example' })).toBe('first');
  });

  it('remembers through a crash what was used, and what was not can be used after it [C11]', async () => {
    // Whatever the application has set for its own data.
    await pool.query('ALTER SYSTEM SET synchronous_commit = off');
    await pool.query('SELECT pg_reload_conf()');
    const store = await postgresApprovalUses(pool);
    const [used, unused] = [approval(), approval()];
    expect(await use(store, used)).toBe('first');
    await server.kill('SIGKILL');
    await expect(use(store, unused)).rejects.toThrow();
    await server.start();
    await vi.waitFor(async () => expect(await use(store, used)).toBe('repeated'), patiently);
    expect(await use(store, unused)).toBe('first');
    expect(await use(store, unused)).toBe('repeated');
    await pool.query('ALTER SYSTEM RESET synchronous_commit');
    await pool.query('SELECT pg_reload_conf()');
  });

  it.each([
    ['emptied', `TRUNCATE ${table}`],
    [
      'set back by a dump',
      `CREATE TEMP TABLE kept AS TABLE ${table}; TRUNCATE ${table}; INSERT INTO ${table} TABLE kept`,
    ],
    ['of another timeline', `UPDATE ${table} SET name = regexp_replace(name, '.{8}$', '0000000A') WHERE owner = ''`],
  ])('knows nothing of approvals from before its table was %s [C11]', async (_how, statements) => {
    const store = await postgresApprovalUses(pool);
    const { issuedAt, ...others } = await usedIn(store);
    // A busy machine may stop this process between its two clocks, and no skew allows for that here.
    const used = { ...others, issuedAt: issuedAt - 1 };
    await pool.query(`${statements}; DROP TABLE IF EXISTS kept`);
    expect(await use(store, { ...used, id: 'approval-of-before' })).toBe('before_epoch');
    expect(await use(store, used)).not.toBe('first');
    await usedIn(store);
  });

  it('allows for the skew of the clock by which an approval was given [C11]', async () => {
    const store = await postgresApprovalUses(pool);
    const ahead = { ...approval(), issuedAt: Date.now() / 1000 + 40 };
    expect(await use(store, { ...ahead, clockSkewSeconds: 60 })).toBe('before_epoch');
    expect(await use(store, { ...ahead, id: 'approval-ahead', clockSkewSeconds: 5 })).toBe('first');
  });
});
