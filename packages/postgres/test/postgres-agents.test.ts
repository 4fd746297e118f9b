import type { Pool } from 'pg';
import { afterAll, beforeAll, describe } from 'vitest';
import { poolOf } from '../../../test/support/pools.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres.js';
import { itIsARegistry } from '../../../test/support/shared-agents.js';
import { postgresAgents } from '../src/index.js';

const programs = findPostgres();

describe.skipIf(programs === undefined)('postgresAgents', () => {
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

  itIsARegistry(async () => await postgresAgents(pool));
});
