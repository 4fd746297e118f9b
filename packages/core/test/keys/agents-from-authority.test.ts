import { createPrivateKey, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { jwkThumbprint } from '@countersign/signature';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { agentsFromAuthority } from '../../src/keys/agents-from-authority.js';
import type { AgentDirectory } from '../../src/keys/directory.js';
import type { AgentsRefresh, RemoteDirectoryOptions } from '../../src/keys/remote-directory.js';
import { local, startServer, type TestServer } from '../remote/json-server.js';
import { newEd25519Key, type TestKey } from './test-keys.js';

const one = newEd25519Key();
const two = newEd25519Key();
const start = 1_800_000_000;

const thumbprintOf = ({ jwk }: TestKey): string => jwkThumbprint(jwk);

interface Served {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  agents?: unknown;
  version?: number;
  signer?: TestKey;
  /** The keys of the issuer. */
  jwks?: readonly TestKey[];
  etag?: string;
  type?: string;
  status?: number;
}

const entry = (key: TestKey, more: Record<string, unknown> = {}) => ({
  agent_id: 'agent-a',
  status: 'active',
  capabilities: ['repo:read'],
  roles: ['reviewer'],
  owner: 'team-x',
  tags: ['ci'],
  keys: [key.jwk],
  ...more,
});

/** An agent with so many keys that it takes long to read them. */
const manyKeys = () => [
  entry(one, { keys: Array.from({ length: 9000 }, () => ({ ...one.jwk, x: randomBytes(32).toString('base64url') })) }),
];

/** An authority whose answers the test controls, and a clock in seconds after the start. */
async function authority(first: Served = {}) {
  const signer = newEd25519Key();
  let served: Served = { agents: [entry(one)], version: 1, signer, jwks: [signer], ...first };
  let seconds = 0;
  const tags: (string | undefined)[] = [];
  const server: TestServer = await startServer((request, response) => {
    void respond(request).then(({ status, type, body, etag }) => {
      response.writeHead(status, { 'content-type': type, ...(etag !== undefined && { etag }) }).end(body);
    });
  });
  const issuer = server.url.replace(/\/$/, '');

  async function respond({ url, headers }: IncomingMessage) {
    const json = 'application/json';
    const { jwks = [], status = 200, type = 'application/agent-directory+jwt', etag } = served;
    switch (url) {
      case '/.well-known/oauth-authorization-server':
        return { status: 200, type: json, body: JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` }) };
      case '/jwks': {
        const keys = jwks.map((key) => ({ ...key.jwk, kid: key.x.slice(0, 8) }));
        return { status: 200, type: json, body: JSON.stringify({ keys }) };
      }
      default:
        tags.push(headers['if-none-match']);
        if (etag !== undefined && headers['if-none-match'] === etag) return { status: 304, type, body: '', etag };
        return { status, type, body: await document(), ...(etag !== undefined && { etag }) };
    }
  }

  async function document(): Promise<string> {
    const { claims, header, agents, version, signer: by = signer } = served;
    const iat = start + seconds;
    const all = { iss: issuer, iat, exp: iat + 3600, version, agents, ...claims };
    return await new SignJWT(all)
      .setProtectedHeader({ alg: 'EdDSA', typ: 'agent-directory+jwt', kid: by.x.slice(0, 8), ...header })
      .sign(createPrivateKey({ key: by.privateJwk, format: 'jwk' }));
  }

  const refreshes: AgentsRefresh[] = [];
  return {
    issuer,
    server,
    tags,
    refreshes,
    serve: (change: Served) => void (served = { ...served, ...change }),
    at: (value: number) => void (seconds = value),
    follow: async (options: RemoteDirectoryOptions = {}): Promise<AgentDirectory> =>
      await agentsFromAuthority(issuer, {
        ...local,
        clock: () => (start + seconds) * 1000,
        onRefresh: (result) => refreshes.push(result),
        ...options,
      }),
  };
}

describe('agentsFromAuthority', () => {
  it('finds the agents of a directory that its issuer signed', async () => {
    const { follow, refreshes } = await authority({
      agents: [
        entry(one, { keys: [{ ...one.jwk, nbf: 10, exp: start + 50 }, two.jwk] }),
        { agent_id: 'agent-b', status: 'pending', capabilities: [], keys: [] },
        { agent_id: 'agent-c', status: 'revoked', keys: [] },
        { agent_id: 'agent-d', status: 'of a later version', keys: [] },
      ],
    });
    const agents = await follow();
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({
      kind: 'found',
      agent: { id: 'agent-a', capabilities: ['repo:read'], roles: ['reviewer'], owner: 'team-x', status: 'active' },
      key: { notBefore: 10, expires: start + 50 },
    });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({ agent: { id: 'agent-a' } });
    expect(await agents.statusOf('agent-a')).toBe('active');
    for (const id of ['agent-b', 'agent-c', 'agent-d']) expect(await agents.statusOf(id)).toBe('suspended');
    expect(await agents.statusOf('agent-e')).toBe('unknown');
    expect(refreshes).toEqual([{ ok: true, keyCount: 2, skipped: [] }]);
  });

  it('leaves out what it cannot read, and keeps the name taken', async () => {
    const weak = { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') };
    const { follow, refreshes } = await authority({
      agents: [
        entry(one),
        entry(two, { agent_id: 'agent-b', capabilities: 'all' }),
        entry(two, { agent_id: 'agent-c', roles: [{ name: 'on-call', until: 'tomorrow' }] }),
        entry(two, { agent_id: 'agent-d', status: 7 }),
        entry(two, { agent_id: 'agent-e', expires: -1 }),
        entry(two, { agent_id: 'agent-f', keys: undefined }),
        entry(two, { agent_id: 'agent-g', keys: [weak, 'x', { ...two.privateJwk }] }),
        'no agent',
        entry(two, { agent_id: '' }),
      ],
    });
    const agents = await follow();
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found' });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toEqual({ kind: 'unknown' });
    for (const id of ['b', 'c', 'd', 'e', 'f']) expect(await agents.statusOf(`agent-${id}`)).toBe('suspended');
    expect(await agents.statusOf('agent-g')).toBe('active');
    expect(refreshes[0]).toMatchObject({ ok: true, keyCount: 1, skipped: { length: 10 } });
  });

  it('ends a role and an agent on time, also while the authority is down [C7]', async () => {
    const world = await authority({
      agents: [
        entry(one, { roles: ['reviewer', { name: 'on-call', until: start + 10 }], expires: start + 20 }),
        entry(two, { agent_id: 'agent-b' }),
      ],
    });
    const agents = await world.follow();
    world.serve({ status: 503 });
    const agentAt = async (second: number) => {
      world.at(second);
      const found = await agents.findByThumbprint(thumbprintOf(one));
      return found.kind === 'found' ? [found.agent.status, ...found.agent.roles] : [found.kind];
    };
    expect(await agentAt(9)).toEqual(['active', 'reviewer', 'on-call']);
    expect(await agentAt(10)).toEqual(['active', 'reviewer']);
    expect(await agentAt(19)).toEqual(['active', 'reviewer']);
    expect(await agentAt(20)).toEqual(['suspended', 'reviewer']);
    expect(await agents.statusOf('agent-a')).toBe('suspended');
    expect(await agents.statusOf('agent-b')).toBe('active');
    // The clock was set back.
    expect(await agentAt(5)).toEqual(['active', 'reviewer', 'on-call']);
  });

  it('follows changes within the age that is set, and sends no directory twice', async () => {
    const world = await authority({ etag: '"1"' });
    const agents = await world.follow({ maxAgeSeconds: 4 });
    world.at(5);
    expect(await agents.statusOf('agent-a')).toBe('active');
    world.serve({ agents: [entry(one, { status: 'suspended' })], version: 2, etag: '"2"' });
    world.at(10);
    expect(await agents.statusOf('agent-a')).toBe('suspended');
    expect(world.tags).toEqual([undefined, '"1"', '"1"']);
  });

  it('finds an agent that was added since, and asks once for many that nobody knows [A14]', async () => {
    const world = await authority();
    const agents = await world.follow({ maxAgeSeconds: 300 });
    world.serve({ agents: [entry(one), entry(two, { agent_id: 'agent-b' })], version: 2 });
    world.at(1);
    expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({ agent: { id: 'agent-b' } });
    for (let count = 0; count < 5; count += 1)
      expect(await agents.findByThumbprint(thumbprintOf(newEd25519Key()))).toEqual({ kind: 'unknown' });
    expect(world.tags).toHaveLength(2);
  });

  it('reads a large directory less often because of keys that nobody knows [A14]', async () => {
    const world = await authority({ agents: manyKeys() });
    const agents = await world.follow({ maxAgeSeconds: 300 });
    world.serve({ agents: manyKeys(), version: 2 });
    const fetches = [];
    for (const seconds of [1, 2.1, 60]) {
      world.at(seconds);
      expect(await agents.findByThumbprint(thumbprintOf(two))).toEqual({ kind: 'unknown' });
      fetches.push(world.tags.length);
    }
    expect(fetches).toEqual([2, 2, 3]);
  });

  it('follows a rotation of the keys of the authority', async () => {
    const world = await authority();
    const agents = await world.follow();
    const next = newEd25519Key();
    world.serve({ signer: next, jwks: [next], version: 2, agents: [entry(two)] });
    world.at(40);
    expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({ kind: 'found' });
  });

  it.each<[string, Served]>([
    ['is older than the one before', { version: 1 }],
    ['another key signed', { version: 3, signer: newEd25519Key() }],
    ['names another issuer', { version: 3, claims: { iss: 'https://id.evil.example' } }],
    ['has expired', { version: 3, claims: { exp: start - 100 } }],
    ['is of the future', { version: 3, claims: { iat: start + 100_000 } }],
    ['has no version', { claims: { version: '3' } }],
    ['has no agents', { version: 3, agents: {} }],
    ['names an agent twice', { version: 3, agents: [entry(one), entry(two)] }],
    ['gives a key to two agents', { version: 3, agents: [entry(one), entry(one, { agent_id: 'agent-b' })] }],
    ['has too many keys', { version: 3, agents: [entry(one, { keys: Array(10_001).fill(one.jwk) })] }],
    ['is another document of the issuer', { version: 3, header: { typ: 'statuslist+jwt' } }],
    ['is of another type', { version: 3, type: 'application/json' }],
    ['cannot be fetched', { status: 500 }],
  ])('keeps the directory before one that %s, and is an outage once that is stale [A14, B2, B4]', async (_, change) => {
    const world = await authority({ version: 2 });
    const agents = await world.follow();
    world.serve({ agents: [entry(two)], ...change });
    for (const second of [20, 1800, 3580]) {
      world.at(second);
      expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found' });
      // It may have been added since.
      expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({ kind: 'unavailable' });
    }
    expect(world.refreshes.at(-1)).toMatchObject({ ok: false });
    world.at(3601);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'unavailable' });
    expect(await agents.statusOf('agent-a')).toBe('unavailable');
  });

  it('lets no cache keep a directory alive beyond its expiry [A14]', async () => {
    const world = await authority({ etag: '"1"', claims: { exp: start + 100 } });
    const agents = await world.follow();
    world.at(159);
    expect(await agents.statusOf('agent-a')).toBe('active');
    world.at(161);
    expect(await agents.statusOf('agent-a')).toBe('unavailable');
    expect(await agents.findByThumbprint(thumbprintOf(one))).toEqual({
      kind: 'unavailable',
      cause: 'the directory has expired',
    });
  });

  it.each<[string, Served, RegExp]>([
    ['is down', { status: 503 }, /503.*Start the authority first/],
    ['signs with a key that it does not publish', { jwks: [] }, /no single key.*check that this is its issuer/],
  ])('says what to do when the authority %s at start [L1]', async (_, served, message) => {
    const { follow } = await authority(served);
    await expect(follow()).rejects.toThrow(message);
  });

  it('refuses an issuer that is no https URL, and options that it does not have', async () => {
    await expect(agentsFromAuthority('http://id.acme.dev')).rejects.toThrow(/plain http/);
    await expect(agentsFromAuthority('id.acme.dev')).rejects.toThrow(/https URL/);
    await expect(agentsFromAuthority('http://127.0.0.1:1')).rejects.toThrow(/dangerouslyAllowHttp/);
    const wrong = { maxAge: 1 } as object;
    await expect(agentsFromAuthority('https://id.acme.dev', wrong)).rejects.toThrow(/maxAge/);
  });
});
