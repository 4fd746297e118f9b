import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyNamed } from '../../../test/support/keys.js';
import { poolOf } from '../../../test/support/pools.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres.js';
import { itIsARegistry } from '../../../test/support/shared-agents.js';
import { beginPostgresAgents, postgresAgents } from '../src/index.js';

const programs = findPostgres();

describe.skipIf(programs === undefined)('postgresAgents', () => {
  let server: PostgresServer;
  let pool: Pool;

  beforeAll(async () => {
    server = await startPostgres(programs!);
    pool = poolOf(server);
    await expect(postgresAgents(pool)).rejects.toThrow('call beginPostgresAgents(pool) once');
    expect(await beginPostgresAgents(pool)).toBe(true);
  });
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  itIsARegistry({
    begin: async () => await beginPostgresAgents(pool),
    open: async () => await postgresAgents(pool),
    losses: {
      'TRUNCATE of all': async () => await pool.query('TRUNCATE countersign_registered CASCADE'),
      'TRUNCATE of the keys': async () => await pool.query('TRUNCATE countersign_registered_keys'),
      DELETE: async () => await pool.query('DELETE FROM countersign_registered'),
    },
  });

  it('is not changed late by what has waited for a lock', async () => {
    const agents = await postgresAgents(pool);
    const agent = { id: 'agent-10', publicKey: keyNamed('shared-5').publicBase64 };
    const holder = await pool.connect();
    await holder.query("BEGIN; SELECT FROM countersign_registered_keys WHERE thumbprint = '' FOR UPDATE");
    const hasty = poolOf(server, { query_timeout: 200 });
    const late = (await postgresAgents(hasty)).put(agent);
    await expect(late).rejects.toThrow('timeout');
    await holder.query('COMMIT');
    holder.release();
    await agents.remove('agent-11');
    expect(await agents.statusOf(agent.id)).toBe('unknown');
    await hasty.end();
  });

  it('stops the start when its agents are lost [A11]', async () => {
    await pool.query('TRUNCATE countersign_registered CASCADE');
    await expect(postgresAgents(pool)).rejects.toThrow('call beginPostgresAgents(pool) once');
    await beginPostgresAgents(pool);
  });
});
