import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import {
  type AgentQuery,
  type AgentQuestion,
  agentsFromDatabase,
  type AgentsFromDatabaseOptions,
} from '../../src/keys/agents-from-database.js';
import { agentsFromObjects } from '../../src/keys/agents-from-objects.js';
import { boundedDirectory, rememberKey } from '../../src/keys/bounded-directory.js';
import { combine } from '../../src/keys/combine.js';
import type { AgentDirectory } from '../../src/keys/directory.js';
import { readPublicKey } from '../../src/keys/ed25519-key.js';
import type { AgentRegistration } from '../../src/keys/registration.js';
import { newEd25519Key, type TestKey } from './test-keys.js';

const one = newEd25519Key();
const two = newEd25519Key();

function thumbprintOf(key: TestKey): string {
  const read = readPublicKey(key.jwk);
  return read.ok ? read.thumbprint : 'none';
}

function madeUp(at: number): string {
  return String(at).padStart(43, 'A');
}

const agentA: AgentRegistration = { id: 'agent-a', publicKey: one.base64, capabilities: ['repo:read'] };

/** A table that the test changes, and its queries. */
function database(options: AgentsFromDatabaseOptions = {}): {
  rows: Map<string, AgentRegistration>;
  asked: AgentQuestion[];
  agents: AgentDirectory;
  at: (seconds: number) => void;
} {
  const rows = new Map<string, AgentRegistration>([[thumbprintOf(one), agentA]]);
  const asked: AgentQuestion[] = [];
  let seconds = 0;
  const agents = agentsFromDatabase(
    async (question) => {
      asked.push(question);
      const { thumbprint, id } = question;
      return thumbprint === undefined
        ? [...rows.values()].find((row) => 'id' in row && row.id === id)
        : rows.get(thumbprint);
    },
    { clock: () => 1_800_000_000_000 + seconds * 1000, ...options },
  );
  return {
    rows,
    asked,
    agents,
    at: (value) => {
      seconds = value;
    },
  };
}

describe('agentsFromDatabase', () => {
  it.each([
    [0, 2],
    [60, 1],
  ])('many at once, with a cache of %i seconds, make for %i look-ups [A14]', async (cacheSeconds, lookUps) => {
    const key = thumbprintOf(one);
    const { agents, asked } = database({ cacheSeconds });
    const bounded = boundedDirectory(agents, 5);
    const found = await Promise.all(Array.from({ length: 50 }, async () => await bounded.findByThumbprint(key)));
    expect(found.every(({ kind }) => kind === 'found')).toBe(true);
    expect(asked).toHaveLength(lookUps);
  });

  it.each([
    [0, 6],
    [60, 5],
  ])('finds a known agent while made-up keys hold every look-up, cached %i s [A14, I6]', async (cacheSeconds, most) => {
    const key = thumbprintOf(one);
    let queries = 0;
    const query: AgentQuery = async ({ thumbprint }) => {
      queries += 1;
      return thumbprint === key ? agentA : new Promise(() => {});
    };
    const agents = boundedDirectory(agentsFromDatabase(query, { cacheSeconds, timeoutSeconds: 0.2 }), 5);
    await agents.findByThumbprint(key);
    const flood = Array.from({ length: 1024 }, async (_, at) => agents.findByThumbprint(madeUp(at)));
    flood.push((async () => agents.findByThumbprint(madeUp(1024)))());
    expect(await agents.findByThumbprint(key)).toMatchObject({ kind: 'found' });
    expect(queries).toBe(most);
    const ended = await Promise.allSettled(flood);
    expect(ended.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(1000);
    expect(ended[0]).toMatchObject({ value: { kind: 'unavailable' } });
    expect(ended[4]).toMatchObject({ reason: { message: 'more than 1024 look-ups at once' } });
    expect(ended[5]).toMatchObject({ reason: { message: 'the look-up had no turn within 0.2 s' } });
    expect(await agents.findByThumbprint(madeUp(1024))).toMatchObject({ cause: 'the database took longer than 0.2 s' });
  });

  it('lets no made-up key keep out an agent that another source or an issuer knows [A14, I6]', async () => {
    const [ofFile, vouched] = [newEd25519Key(), newEd25519Key()];
    const query: AgentQuery = async ({ thumbprint, id }) =>
      id !== undefined || [ofFile, vouched].some((key) => thumbprintOf(key) === thumbprint)
        ? undefined
        : new Promise(() => {});
    const file = agentsFromObjects([{ id: 'agent-f', publicKey: ofFile.base64 }]);
    const agents = combine(agentsFromDatabase(query, { timeoutSeconds: 0.2 }), file);
    await agents.findByThumbprint(thumbprintOf(ofFile));
    rememberKey(thumbprintOf(vouched));
    const flood = Array.from({ length: 100 }, async (_, at) => agents.findByThumbprint(madeUp(at)));
    expect(await agents.findByThumbprint(thumbprintOf(ofFile))).toMatchObject({ agent: { id: 'agent-f' } });
    expect(await agents.findByThumbprint(thumbprintOf(vouched))).toEqual({ kind: 'unknown' });
    await Promise.allSettled(flood);
  });

  it('asks for four new keys at once, and then for the others [A14, I6]', async () => {
    const fresh = newEd25519Key();
    let most = 0;
    let underWay = 0;
    const agents = agentsFromDatabase(async ({ thumbprint }) => {
      most = Math.max(most, ++underWay);
      await setImmediate();
      underWay -= 1;
      return thumbprint === thumbprintOf(fresh) ? { id: 'agent-n', publicKey: fresh.base64 } : undefined;
    });
    const keys = [...Array.from({ length: 50 }, (_, at) => madeUp(at)), thumbprintOf(fresh)];
    const found = await Promise.all(keys.map(async (key) => (await agents.findByThumbprint(key)).kind));
    expect(found).toEqual([...Array.from({ length: 50 }, () => 'unknown'), 'found']);
    expect(most).toBe(4);
  });

  it('asks for the newest key next, so that made-up keys do not keep an agent waiting [A14, I6]', async () => {
    const asked: string[] = [];
    const agents = agentsFromDatabase(async ({ thumbprint }) => {
      asked.push(String(thumbprint));
      await setImmediate();
      return undefined;
    });
    const keys = Array.from({ length: 10 }, (_, at) => madeUp(at));
    await Promise.all(keys.map(async (key) => agents.findByThumbprint(key)));
    expect(asked).toEqual([0, 1, 2, 3, 9, 8, 7, 6, 5, 4].map(madeUp));
  });

  it('does not share a failed lookup with later requests [A14]', async () => {
    let down = true;
    const query: AgentQuery = async () => {
      if (down) throw new Error('down');
      return agentA;
    };
    const agents = agentsFromDatabase(query, { cacheSeconds: 60 });
    const at = (): Promise<string> =>
      Promise.resolve(agents.findByThumbprint(thumbprintOf(one))).then(({ kind }) => kind);
    expect(await Promise.all([at(), at()])).toEqual(['unavailable', 'unavailable']);
    down = false;
    expect(await at()).toBe('found');
  });

  it('asks for the key, and for the name', async () => {
    const { agents, asked } = database();
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({
      kind: 'found',
      agent: { id: 'agent-a', capabilities: ['repo:read'], status: 'active' },
      key: { thumbprint: thumbprintOf(one) },
    });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toEqual({ kind: 'unknown' });
    expect(await agents.statusOf('agent-a')).toBe('active');
    expect(await agents.statusOf('agent-b')).toBe('unknown');
    expect(asked).toEqual([
      { thumbprint: thumbprintOf(one) },
      { thumbprint: thumbprintOf(two) },
      { id: 'agent-a' },
      { id: 'agent-b' },
    ]);
  });

  it('treats null as not found', async () => {
    const agents = agentsFromDatabase(() => null as unknown as undefined);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({ kind: 'unknown' });
  });

  it('applies a removed or suspended row to the next request [C7]', async () => {
    const { agents, rows } = database();
    rows.set(thumbprintOf(one), { ...agentA, status: 'suspended' });
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ agent: { status: 'suspended' } });
    rows.clear();
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({ kind: 'unknown' });
  });

  it.each(['../', '__proto__', 'x'.repeat(10_000), '', "' OR 1=1 --".padEnd(43, ' ')])(
    'what cannot be a thumbprint is not asked for: %j [A11]',
    async (keyId) => {
      const { agents, asked } = database();
      expect(await agents.findByThumbprint(keyId)).toEqual({ kind: 'unknown' });
      expect(asked).toEqual([]);
    },
  );

  it.each<[string, AgentQuery, RegExp]>([
    ['rejects', () => Promise.reject(new Error('no pool')), /no pool/],
    [
      'throws',
      () => {
        throw new Error('no pool');
      },
      /no pool/,
    ],
    ['answers with another key', () => ({ id: 'agent-b', publicKey: two.base64 }), /does not hold the key/],
    ['answers with a weak key', () => ({ id: 'agent-a', publicKey: Buffer.alloc(32).toString('base64') }), /weak/],
    ['answers with a column too many', () => ({ ...agentA, created_at: 1 }) as AgentRegistration, /created_at/],
    // Its rejection would fail the run if nobody handled it.
    [
      'answers with a promise in a column',
      () => ({ ...agentA, roles: Promise.reject(new Error('no pool')) }) as unknown as AgentRegistration,
      /roles/,
    ],
    ['answers with rows', () => [agentA] as unknown as AgentRegistration, /must be an object/],
  ])('a database that %s is an outage [A14]', async (_title, query, cause) => {
    const agents = agentsFromDatabase(query);
    const lookup = await agents.findByThumbprint(thumbprintOf(one));
    if (lookup.kind !== 'unavailable') throw new Error(lookup.kind);
    expect(lookup.reported ?? lookup.cause).toMatch(cause);
    expect(await agents.statusOf('agent-a')).toMatch(/^(?:active|unavailable)$/);
  });

  it.each(['active', 'suspended'] as const)('says by name that an agent is %s [C7]', async (status) => {
    const agents = agentsFromDatabase(() => ({ ...agentA, status }));
    expect(await agents.statusOf('agent-a')).toBe(status);
  });

  it('does not free a name when the answer is about another one [C5]', async () => {
    const agents = agentsFromDatabase(() => agentA);
    expect(await agents.statusOf('agent-A')).toBe('unavailable');
  });

  it('aborts and reports an outage when the database never answers [A14]', async () => {
    let told: AbortSignal | undefined;
    const agents = agentsFromDatabase(
      (_question, signal) => {
        told = signal;
        return new Promise(() => {});
      },
      // Not a whole number of milliseconds.
      { timeoutSeconds: 0.0501 },
    );
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({
      kind: 'unavailable',
      cause: 'the database took longer than 0.0501 s',
    });
    expect(told?.aborted).toBe(true);
    expect(await agents.statusOf('agent-a')).toBe('unavailable');
  });

  it('caches hits and misses for cacheSeconds, and never an outage', async () => {
    const { agents, rows, asked, at } = database({ cacheSeconds: 10 });
    for (const key of [one, one, two, two]) await agents.findByThumbprint(thumbprintOf(key));
    expect(asked).toHaveLength(2);
    rows.clear();
    at(9.9);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found' });
    at(10);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({ kind: 'unknown' });
    rows.set(thumbprintOf(one), { id: 'agent-a', publicKey: two.base64 });
    at(20);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'unavailable' });
    rows.set(thumbprintOf(one), agentA);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found' });
  });

  it('ignores its cache when the clock was set back', async () => {
    const { agents, rows, at } = database({ cacheSeconds: 10 });
    await agents.findByThumbprint(thumbprintOf(one));
    rows.clear();
    at(-1000);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({ kind: 'unknown' });
  });

  it.each<[string, unknown, object]>([
    ['no function', 'SELECT', {}],
    ['a misspelt option', () => undefined, { cacheSecond: 1 }],
    ['no time at all', () => undefined, { timeoutSeconds: 0 }],
    ['a time-out in milliseconds', () => undefined, { timeoutSeconds: 2000 }],
    ['a cache for ever', () => undefined, { cacheSeconds: Infinity }],
  ])('refuses %s [G5]', (_title, query, options) => {
    expect(() => agentsFromDatabase(query as AgentQuery, options)).toThrow(ConfigError);
  });
});
