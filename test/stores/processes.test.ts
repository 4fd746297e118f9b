import type { OneTimeProof } from '@countersign/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { patiently } from '../support/patiently.js';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres.js';
import { findRedis, startRedis } from '../support/redis.js';
import { freshProofs, type Reserver, startReserver, type StorePlace } from './processes.js';

/** A store that the test may crash. */
interface Store {
  readonly place: StorePlace;
  /** Ends with the server running again. */
  crash(round: number): Promise<void>;
  stop(): Promise<void>;
}

const redis = findRedis();
const postgres = findPostgres();

const stores: Readonly<Record<string, { readonly missing: boolean; readonly start: () => Promise<Store> }>> = {
  Redis: { missing: redis === undefined, start: () => startRedisStore([]) },
  'Redis that saves each second': {
    missing: redis === undefined,
    start: () => startRedisStore(['--appendonly', 'yes']),
  },
  Postgres: { missing: postgres === undefined, start: startPostgresStore },
};

async function startRedisStore(settings: readonly string[]): Promise<Store> {
  const server = await startRedis(redis!, settings);
  const crash = async () => {
    await server.kill('SIGKILL');
    await server.start();
  };
  return { place: { redis: server.url }, crash, stop: () => server.stop() };
}

async function startPostgresStore(): Promise<Store> {
  const server = await startPostgres(postgres!);
  return {
    place: { postgres: server.connection },
    async crash(round) {
      if (round % 2 === 0 && (await crashBackend(server))) return;
      await server.kill('SIGKILL');
      await server.start();
    },
    stop: () => server.stop(),
  };
}

/** A crash of one backend empties tables that are not logged, and restarts nothing that a client could see. */
async function crashBackend({ connection }: PostgresServer): Promise<boolean> {
  const { Client } = await import('pg');
  const client = new Client({ ...connection });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0]!.pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const processes = 4;
/** As `pnpm crash` sets it; CI crashes a few times. */
const kills = Number(process.env['COUNTERSIGN_KILLS'] ?? 6);

describe.each(Object.keys(stores))('four processes with %s', (name) => {
  const { missing, start } = stores[name]!;
  const open: { stop(): Promise<void> }[] = [];

  afterEach(async () => {
    for (const each of open.splice(0).toReversed()) await each.stop();
  });

  async function world(): Promise<{ readonly store: Store; readonly reservers: readonly Reserver[] }> {
    const store = await start();
    open.push(store);
    const reservers = await Promise.all(Array.from({ length: processes }, () => startReserver(store.place)));
    open.push(...reservers.map((each) => ({ stop: () => each.kill() })));
    // So old that an answer which takes seconds does not look like one from before its beginning.
    await vi.waitFor(async () => {
      const [proof] = freshProofs(1);
      expect(await reservers[0]!.reserve([{ ...proof!, created: proof!.created - 3 }])).toEqual(['reserved']);
    }, patiently);
    return { store, reservers };
  }

  it.skipIf(missing)('have one winner for each of 1,000 nonces that all get at once [A10]', async () => {
    const { reservers } = await world();
    const proofs = freshProofs(1000);
    const results = await Promise.all(reservers.map((each) => each.reserve(proofs)));
    expect(winners(results)).toEqual(proofs.map(() => 1));
  });

  it.skipIf(missing)('have one winner for each nonce while processes are killed and restarted [A10]', async () => {
    const { store, reservers } = await world();
    const proofs = freshProofs(1000);
    const half = Math.ceil(proofs.length / 2);
    const [first, second, ...others] = reservers;
    const asked = proofs.slice(0, half);
    const early = [first!.reserve(asked), second!.reserve(asked)];
    await Promise.all([first!.kill(), ...early]);
    const restarted = await startReserver(store.place);
    open.push({ stop: () => restarted.kill() });
    const late = await Promise.all([restarted, second!, ...others].map((each) => each.reserve(proofs)));
    const answers = [...late, ...(await Promise.all(early)).map((each) => fill(each, proofs.length))];
    const counts = winners(answers);
    // What was reserved by a process that was killed before it could say so is lost to all, and accepted by none.
    expect(counts.every((count) => count <= 1)).toBe(true);
    expect(counts.slice(half)).toEqual(proofs.slice(half).map(() => 1));
  });

  it.skipIf(missing)(
    'accept no nonce twice when the store is killed under load, and new ones again by themselves [A10]',
    async () => {
      const { store, reservers } = await world();
      const accepted = new Map<string, number>();
      const known: OneTimeProof[] = [];
      const ends = new AbortController();
      let asked = 0;

      async function load(): Promise<void> {
        while (!ends.signal.aborted) {
          const fresh = freshProofs(40);
          const replayed = Array.from({ length: 40 }, () => known[Math.floor(Math.random() * known.length)]).filter(
            (proof) => proof !== undefined,
          );
          const proofs = [...fresh, ...replayed];
          known.push(...fresh);
          known.splice(0, known.length - 4000);
          const results = await Promise.all(reservers.map((each) => each.reserve(proofs)));
          asked += proofs.length * reservers.length;
          for (const answers of results) {
            for (const [index, answer] of answers.entries()) {
              const { nonce } = proofs[index]!;
              if (answer === 'reserved') accepted.set(nonce, (accepted.get(nonce) ?? 0) + 1);
            }
          }
        }
      }

      const loads = [load(), load()];
      const share = Math.ceil(kills / Object.keys(stores).length);
      let acceptedBefore = 0;
      for (let round = 0; round < share; round++) {
        await store.crash(round);
        await vi.waitFor(() => expect(accepted.size).toBeGreaterThan(acceptedBefore + 40), patiently);
        acceptedBefore = accepted.size;
      }
      ends.abort();
      await Promise.all(loads);
      const twice = [...accepted].filter(([, count]) => count > 1);
      console.log(`${name}: ${share} kills, ${asked} reservations, ${accepted.size} accepted, ${twice.length} twice`);
      expect(twice).toEqual([]);
    },
    (60 + kills * 5) * 1000,
  );
});

/** How many processes won each nonce. */
function winners(results: readonly (readonly string[])[]): readonly number[] {
  const [first = []] = results;
  return first.map((_, index) => results.filter((answers) => answers[index] === 'reserved').length);
}

function fill(answers: readonly string[], length: number): readonly string[] {
  return [...answers, ...Array.from({ length: length - answers.length }, () => 'not asked')];
}
