import type { AgentsFromDatabaseOptions } from '@countersign/core';
import { type SharedAgents, sharedAgents } from '@countersign/stores';
import { ensureTable } from './ensure-table.js';
import { type PgPool, rowsOf } from './pool.js';

const table = 'countersign_registered';

const tables = `CREATE TABLE IF NOT EXISTS ${table} (id TEXT COLLATE "C" PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ${table}_keys (thumbprint TEXT COLLATE "C" PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL REFERENCES ${table} (id) ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS ${table}_keys_id ON ${table}_keys (id);`;

/** A key of another agent violates the primary key, and then nothing is changed. */
const putSql = `WITH gone AS (DELETE FROM ${table}_keys WHERE id = $1 AND thumbprint <> ALL ($3::text[])),
  agent AS (INSERT INTO ${table} (id, entry) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET entry = excluded.entry)
INSERT INTO ${table}_keys (thumbprint, id) SELECT key, $1 FROM unnest($3::text[]) AS key
  WHERE NOT EXISTS (SELECT FROM ${table}_keys WHERE thumbprint = key AND id = $1)`;

/**
 * The agents of all processes, in Postgres. Each request asks for its agent, unless `cacheSeconds` is set. The options are
 * those of `agentsFromDatabase`.
 *
 * @throws ConfigError if the database cannot be used.
 *
 * @example
 * const agents = await postgresAgents(pool); // createGuard({ …, agents })
 * await agents.put({ id: 'agent-1', publicKey, capabilities: ['repo:read'] });
 */
export async function postgresAgents(pool: PgPool, options: AgentsFromDatabaseOptions = {}): Promise<SharedAgents> {
  const agents = sharedAgents(
    {
      async find({ thumbprint, id }) {
        const [row] =
          thumbprint === undefined
            ? await rowsOf(pool, `SELECT entry FROM ${table} WHERE id = $1`, [id])
            : await rowsOf(pool, `SELECT entry FROM ${table} JOIN ${table}_keys USING (id) WHERE thumbprint = $1`, [
                thumbprint,
              ]);
        const entry = row?.['entry'];
        return typeof entry === 'string' ? entry : undefined;
      },
      async put(id, entry, thumbprints) {
        await rowsOf(pool, putSql, [id, entry, [...thumbprints]]);
      },
      async remove(id) {
        await rowsOf(pool, `DELETE FROM ${table} WHERE id = $1`, [id]);
      },
    },
    options,
  );
  await ensureTable('postgresAgents', pool, table, tables);
  return agents;
}
