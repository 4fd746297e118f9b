import { join } from 'node:path';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe } from 'vitest';
import { type DelayedStores, itMakesNoChangeLate } from '../../../test/support/late-changes.js';
import { poolOf } from '../../../test/support/pools.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres.js';
import { startSilentProxy } from '../../../test/support/silent-proxy.js';
import { beginPostgresAgents, beginPostgresRevocations, postgresAgents, postgresRevocations } from '../src/index.js';

const programs = findPostgres();

describe.skipIf(programs === undefined)('a connection to Postgres that goes silent holds a change', () => {
  let server: PostgresServer;
  let pool: Pool;
  let stores: DelayedStores;

  beforeAll(async () => {
    server = await startPostgres(programs!);
    const proxy = await startSilentProxy(join(server.connection.host, '.s.PGSQL.5432'));
    pool = poolOf(server, { host: '127.0.0.1', port: proxy.port, query_timeout: 500 });
    await beginPostgresAgents(pool);
    await beginPostgresRevocations(pool);
    const openRevocations = async () => await postgresRevocations(pool);
    stores = { proxy, agents: await postgresAgents(pool), revocations: await openRevocations(), openRevocations };
  });
  afterAll(async () => {
    await stores.revocations.close();
    await pool.end();
    await stores.proxy.close();
    await server.stop();
  });

  itMakesNoChangeLate(() => stores, { 'the query_timeout of the pool': async () => {} });
});
