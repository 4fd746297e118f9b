import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { agentsFromJwks } from '../../src/keys/agents-from-jwks.js';
import { boundedDirectory } from '../../src/keys/bounded-directory.js';
import type { AgentDirectory } from '../../src/keys/directory.js';
import { readPublicKey } from '../../src/keys/ed25519-key.js';
import type { AgentsRefresh } from '../../src/keys/remote-directory.js';
import { local, startServer, type TestServer } from '../remote/json-server.js';
import { newEd25519Key, type TestKey } from './test-keys.js';

const one = newEd25519Key();
const two = newEd25519Key();
const three = newEd25519Key();

function thumbprintOf(key: TestKey): string {
  const read = readPublicKey(key.jwk);
  return read.ok ? read.thumbprint : 'none';
}

async function start(...keys: unknown[]): Promise<{
  server: TestServer;
  agents: AgentDirectory;
  refreshes: AgentsRefresh[];
  /** Sets the clock, in seconds after the start. */
  at: (seconds: number) => void;
}> {
  const server = await startServer({ json: { keys } });
  const refreshes: AgentsRefresh[] = [];
  let seconds = 0;
  const agents = agentsFromJwks(server.url, {
    ...local,
    clock: () => 1_800_000_000_000 + seconds * 1000,
    onRefresh: (result) => refreshes.push(result),
  });
  return {
    server,
    agents,
    refreshes,
    at: (value) => {
      seconds = value;
    },
  };
}

const failing: TestServer['answer'] = (_, response) => response.writeHead(503).end();

describe('agentsFromJwks', () => {
  it('finds a key that it holds while any number of made-up keys wait for its server [A14, I6]', async () => {
    const { server, agents, at } = await start({ ...one.jwk, agent_id: 'agent-a' });
    const bounded = boundedDirectory(agents, 0.2);
    await bounded.findByThumbprint(thumbprintOf(one));
    server.answer = () => {};
    at(31);
    const madeUp = Array.from({ length: 1100 }, (_, each) => String(each).padStart(43, 'A'));
    const flood = madeUp.map(async (key) => bounded.findByThumbprint(key));
    expect(bounded.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found', agent: { id: 'agent-a' } });
    expect((await Promise.allSettled(flood)).every(({ status }) => status === 'rejected')).toBe(true);
    expect(server.requests).toBe(2);
  });

  it('finds agents by the members of their keys, with a fetch at first use', async () => {
    const { server, agents, refreshes } = await start(
      {
        ...one.jwk,
        agent_id: 'agent-a',
        capabilities: ['repo:read'],
        roles: ['reviewer'],
        owner: 'team-x',
        nbf: 10,
        exp: 2_000_000_000,
      },
      {
        ...two.jwk,
        agent_id: 'agent-a',
        capabilities: ['repo:read'],
        roles: ['reviewer'],
        owner: 'team-x',
        notBefore: 20,
      },
      { ...three.jwk, agent_id: 'agent-b', status: 'suspended', use: 'sig', alg: 'EdDSA', kid: 'three' },
    );
    expect(server.requests).toBe(0);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({
      kind: 'found',
      agent: { id: 'agent-a', capabilities: ['repo:read'], roles: ['reviewer'], owner: 'team-x', status: 'active' },
      key: { notBefore: 10, expires: 2_000_000_000 },
    });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({
      agent: { id: 'agent-a' },
      key: { notBefore: 20 },
    });
    expect(await agents.findByThumbprint(thumbprintOf(three))).toMatchObject({
      agent: { id: 'agent-b', status: 'suspended' },
    });
    expect(await agents.statusOf('agent-a')).toBe('active');
    expect(await agents.statusOf('agent-c')).toBe('unknown');
    expect(server.requests).toBe(1);
    expect(refreshes).toEqual([{ ok: true, keyCount: 3, skipped: [] }]);
  });

  it('skips and reports unusable keys', async () => {
    const { agents, refreshes } = await start(
      { ...one.jwk, agent_id: 'agent-a' },
      { ...two.jwk },
      { kty: 'EC', crv: 'P-256', agent_id: 'agent-b' },
      { ...three.privateJwk, agent_id: 'agent-c' },
      { ...two.jwk, agent_id: 'agent-d', capabilities: 'everything' },
      'no key',
      { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url'), agent_id: 'agent-e' },
    );
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found' });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toEqual({ kind: 'unknown' });
    expect(await agents.findByThumbprint(thumbprintOf(three))).toEqual({ kind: 'unknown' });
    expect(refreshes).toMatchObject([{ ok: true, keyCount: 1, skipped: { length: 6 } }]);
    // Their names stay taken, so that nobody can vouch for other keys under them; nor do chains lead through them.
    for (const id of ['agent-b', 'agent-c', 'agent-d', 'agent-e']) expect(await agents.statusOf(id)).toBe('suspended');
  });

  it('skips a key that two agents have [A11]', async () => {
    const { agents, refreshes } = await start(
      { ...one.jwk, agent_id: 'agent-a' },
      { ...one.jwk, agent_id: 'agent-b', kid: 'other' },
      { ...two.jwk, agent_id: 'agent-a' },
    );
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({ kind: 'unknown' });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({ kind: 'found', agent: { id: 'agent-a' } });
    expect(refreshes).toMatchObject([
      {
        keyCount: 1,
        skipped: [
          { index: 0, agentId: 'agent-a' },
          { index: 1, agentId: 'agent-b' },
        ],
      },
    ]);
  });

  it('skips keys that disagree about their agent', async () => {
    const { agents } = await start(
      { ...one.jwk, agent_id: 'agent-a', status: 'suspended' },
      { ...two.jwk, agent_id: 'agent-a' },
    );
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({ kind: 'unknown' });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toEqual({ kind: 'unknown' });
  });

  it('drops a key that is missing after a successful refresh, and none after a failed one [A14]', async () => {
    const { server, agents, at } = await start({ ...one.jwk, agent_id: 'agent-a' });
    await agents.findByThumbprint(thumbprintOf(one));
    server.answer = failing;
    at(301);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found' });
    expect(server.requests).toBe(2);
    server.answer = { json: { keys: [{ ...two.jwk, agent_id: 'agent-b' }] } };
    at(310);
    await agents.statusOf('agent-a');
    at(700);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({ kind: 'unknown' });
    expect(await agents.statusOf('agent-a')).toBe('unknown');
  });

  it('reports keys older than the limit as unavailable, not unknown [A14]', async () => {
    const { server, agents, at } = await start({ ...one.jwk, agent_id: 'agent-a' });
    await agents.findByThumbprint(thumbprintOf(one));
    server.answer = failing;
    at(3601);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({
      kind: 'unavailable',
      cause: expect.stringMatching(/503/),
    });
    expect(await agents.statusOf('agent-a')).toBe('unavailable');
  });

  it('never fetched and down: unavailable', async () => {
    const { server, agents, refreshes } = await start();
    server.answer = failing;
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'unavailable' });
    expect(await agents.statusOf('agent-a')).toBe('unavailable');
    expect(refreshes).toMatchObject([{ ok: false }]);
  });

  it('a flood of unknown key ids causes at most one fetch per cool-down [A14]', async () => {
    const { server, agents, at } = await start({ ...one.jwk, agent_id: 'agent-a' });
    await agents.findByThumbprint(thumbprintOf(one));
    for (let second = 0; second < 60; second += 1) {
      at(second);
      const unknown = Buffer.alloc(32, second + 1).toString('base64url');
      expect(await agents.findByThumbprint(unknown)).toEqual({ kind: 'unknown' });
    }
    expect(server.requests).toBe(2);
  });

  it('does not fetch for an invalid thumbprint [A11]', async () => {
    const { server, agents, at } = await start({ ...one.jwk, agent_id: 'agent-a' });
    await agents.findByThumbprint(thumbprintOf(one));
    at(60);
    for (const keyId of ['../', '__proto__', 'x'.repeat(10_000), '', "' OR 1=1"]) {
      expect(await agents.findByThumbprint(keyId)).toEqual({ kind: 'unknown' });
    }
    expect(server.requests).toBe(1);
  });

  it('a key just published is found after the cool-down', async () => {
    const { server, agents, at } = await start({ ...one.jwk, agent_id: 'agent-a' });
    await agents.findByThumbprint(thumbprintOf(one));
    server.answer = {
      json: {
        keys: [
          { ...one.jwk, agent_id: 'agent-a' },
          { ...two.jwk, agent_id: 'agent-b' },
        ],
      },
    };
    expect(await agents.findByThumbprint(thumbprintOf(two))).toEqual({ kind: 'unknown' });
    at(30);
    expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({ kind: 'found', agent: { id: 'agent-b' } });
  });

  it('refuses 10 000 keys, or an invalid set, whole [A14]', async () => {
    const { server, agents, refreshes, at } = await start();
    const many = Array.from({ length: 10_000 }, () => ({ kty: 'OKP' }));
    for (const [index, json] of [{ keys: many }, [], 'keys', { keys: {} }, null].entries()) {
      server.answer = { json };
      at(index * 10);
      expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'unavailable' });
    }
    expect(refreshes).toHaveLength(5);
    expect(refreshes.every(({ ok }) => !ok)).toBe(true);
  });

  it('reads a full set quickly: the work grows with the number of keys, not with its square', async () => {
    const keys = Array.from({ length: 1000 }, (_, index) => ({
      ...newEd25519Key().jwk,
      agent_id: `agent-${index % 10}`,
    }));
    const { agents, refreshes } = await start(...keys);
    expect(await agents.statusOf('agent-9')).toBe('active');
    expect(refreshes).toMatchObject([{ ok: true, keyCount: 1000 }]);
  });

  it('dangerous addresses and wrong options are refused at creation [A14]', () => {
    for (const url of ['http://agents.example/', 'https://127.0.0.1/', 'https://u:p@agents.example/', 'nonsense']) {
      expect(() => agentsFromJwks(url)).toThrow(ConfigError);
    }
    expect(() => agentsFromJwks('https://agents.example/', { maxAge: 5 } as object)).toThrow(/maxAgeSeconds/);
    expect(() => agentsFromJwks('https://agents.example/', { maxAgeSeconds: 0 })).toThrow(ConfigError);
    expect(() => agentsFromJwks('https://agents.example/', { maxAgeSeconds: 7200 })).toThrow(/maxStaleSeconds/);
    expect(() => agentsFromJwks('https://agents.example/', { maxAgeSeconds: Number.NaN })).toThrow(ConfigError);
  });
});
