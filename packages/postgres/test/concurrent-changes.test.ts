import type { Pool, PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyNamed } from '../../../test/support/keys.js';
import { patiently } from '../../../test/support/patiently.js';
import { poolOf } from '../../../test/support/pools.js';
import { findPostgres, type PostgresServer, startPostgres } from '../../../test/support/postgres.js';
import { beginPostgresAgents, postgresAgents } from '../src/index.js';

const programs = findPostgres();

/** The commit of each new agent waits for an advisory lock, as it may wait for a disk or a replica. */
const slowCommits = `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON countersign_registered DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION wait()`;

describe.skipIf(programs === undefined).each(['read committed', 'repeatable read'])(
  'while a new agent is being committed, with the isolation level %s',
  (level) => {
    const options = `-c default_transaction_isolation=${level.replace(' ', String.raw`\ `)}`;
    const [first, second] = [keyNamed('concurrent-1'), keyNamed('concurrent-2')];
    const agent = { id: 'agent-1', publicKey: first.publicBase64 };
    let server: PostgresServer;
    let pool: Pool;
    let holder: PoolClient;

    beforeAll(async () => {
      server = await startPostgres(programs!);
      pool = poolOf(server, { options });
      await beginPostgresAgents(pool);
      await pool.query(slowCommits);
      holder = await pool.connect();
    });
    afterAll(async () => {
      holder.release();
      await pool.end();
      await server.stop();
    });
    beforeEach(async () => void (await holder.query('SELECT pg_advisory_lock(1)')));
    afterEach(async () => {
      await holder.query('SELECT pg_advisory_unlock_all()');
      await (await postgresAgents(pool)).remove(agent.id);
    });

    const commit = async () => await holder.query('SELECT pg_advisory_unlock(1)');
    /** Resolves once so many statements wait for a lock. */
    const waiting = async (count: number) => {
      const sql = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
      await vi.waitFor(async () => expect((await holder.query(sql)).rows).toEqual([{ count }]), patiently);
    };
    const keysOf = async (id: string) => {
      const { rows } = await holder.query('SELECT thumbprint FROM countersign_registered_keys WHERE id = $1', [id]);
      return rows.map(({ thumbprint }) => thumbprint as string);
    };

    it('remove takes it out, though its put has rejected [A11]', async () => {
      const agents = await postgresAgents(pool);
      const hasty = poolOf(server, { options, query_timeout: 200 });
      await expect((await postgresAgents(hasty)).put(agent)).rejects.toThrow('timeout');
      const removed = agents.remove(agent.id);
      await waiting(2);
      await commit();
      await removed;
      expect(await agents.statusOf(agent.id)).toBe('unknown');
      expect(await keysOf(agent.id)).toEqual([]);
      await hasty.end();
    });

    it('another put leaves exactly the keys of its entry [A11]', async () => {
      const agents = await postgresAgents(pool);
      const puts = [agents.put(agent)];
      await waiting(1);
      puts.push(agents.put({ ...agent, publicKey: second.publicBase64 }));
      await waiting(2);
      await commit();
      await Promise.all(puts);
      expect(await keysOf(agent.id)).toEqual([second.thumbprint]);
      expect(await agents.findByThumbprint(first.thumbprint)).toMatchObject({ kind: 'unknown' });
      await agents.put({ id: 'agent-2', publicKey: first.publicBase64 });
      await agents.remove('agent-2');
    });

    it('the same put of other processes resolves', async () => {
      const agents = await postgresAgents(pool);
      const puts = [agents.put(agent)];
      await waiting(1);
      puts.push(agents.put(agent), agents.put(agent), agents.put(agent));
      await waiting(4);
      await commit();
      await Promise.all(puts);
      expect(await keysOf(agent.id)).toEqual([first.thumbprint]);
    });

    it('a put of another agent with its key rejects and changes nothing [A11]', async () => {
      const agents = await postgresAgents(pool);
      const put = agents.put(agent);
      await waiting(1);
      const taken = expect(agents.put({ ...agent, id: 'agent-2' })).rejects.toMatchObject({
        name: 'SharedStoreUnavailable',
        message: 'another agent has one of its keys',
      });
      await waiting(2);
      await commit();
      await Promise.all([put, taken]);
      expect(await agents.statusOf('agent-2')).toBe('unknown');
      expect(await keysOf(agent.id)).toEqual([first.thumbprint]);
    });

    it('a change whose connection Postgres ends rejects only once it is too late to be made', async () => {
      const agents = await postgresAgents(pool);
      const put = agents.put(agent);
      await waiting(1);
      const askedAt = performance.now();
      const removed = expect(agents.remove(agent.id)).rejects.toThrow('terminating connection');
      await waiting(2);
      await holder.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND wait_event <> 'advisory'`);
      await removed;
      expect(performance.now() - askedAt).toBeGreaterThan(990);
      await commit();
      await put;
    });
  },
);
