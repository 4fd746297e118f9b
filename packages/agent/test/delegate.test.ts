import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Agent,
  AgentError,
  createAgent,
  type DelegateOptions,
  type DelegationBundle,
  generateAgentKey,
} from '../src/index.js';
import { field, type RecordingServer, recordingServer, verify } from './recording-server.js';

const api = 'https://api.acme.dev';
const now = 1_800_000_000;
const keyA = generateAgentKey();
const keyB = generateAgentKey();
const clock = () => now * 1000;
let a: Agent;
let b: Agent;
let server: RecordingServer;

beforeAll(async () => {
  server = await recordingServer();
  a = await createAgent({ id: 'agent-a', key: keyA, clock });
  b = await createAgent({ id: 'agent-b', key: keyB, clock });
});
afterAll(() => server.close());

const encode = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url');
const tokenOf = (claims: object): string => `${encode({ typ: 'at+jwt', alg: 'EdDSA' })}.${encode(claims)}.c2ln`;
const token = tokenOf({
  iss: 'https://id.acme.dev',
  sub: 'user_123',
  act: { sub: 'agent-a' },
  aud: api,
  scope: 'pr:write repo:read',
  exp: now + 100,
});
const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

function partOf(link: string | undefined, part: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(link?.split('.')[part] ?? '', 'base64url').toString()) as Record<string, unknown>;
}

async function problemOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof AgentError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('delegate', () => {
  it('of its own: a link of the profile, signed with the key of the agent', async () => {
    const bundle = await a.delegate('agent-b', { scope: ['repo:read'], audience: api });
    expect(bundle).toEqual({ version: 1, links: [expect.any(String)] });
    const [link = ''] = bundle.links;
    expect(partOf(link, 0)).toEqual({ typ: 'delegation+jwt', alg: 'EdDSA', kid: keyA.thumbprint });
    expect(partOf(link, 1)).toEqual({
      iss: 'agent-a',
      sub: 'agent-b',
      aud: api,
      scope: 'repo:read',
      iat: now,
      exp: now + 300,
      jti: expect.any(String),
    });
    const [header, payload, signature = ''] = link.split('.');
    const publicKey = createPublicKey({ key: { ...keyA.publicJwk }, format: 'jwk' });
    const signed = Buffer.from(`${header}.${payload}`);
    expect(verifySignature(null, signed, publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
  });

  it('of a token: bound to it, no longer than it, with its audience', async () => {
    const options = { scope: 'pr:write:draft', maxHops: 0, keyId: keyB.thumbprint } as const;
    const details = [{ type: 'Repo', identifier: 'acme/api' }];
    const bundle = await a.withToken(token).delegate('agent-b', { ...options, authorizationDetails: details });
    expect(bundle.token).toBe(token);
    expect(partOf(bundle.links[0], 1)).toMatchObject({
      pth: hashOf(token),
      aud: api,
      exp: now + 100,
      max_hops: 0,
      cnf: { jkt: keyB.thumbprint },
      authorization_details: details,
    });
  });

  it.each<[string, string, DelegateOptions, RegExp]>([
    ['a scope that is not held', token, { scope: 'admin' }, /'admin' is not covered/],
    ['a wider scope', token, { scope: ['repo'] }, /'repo' is not covered/],
    ['no scope', token, { scope: [] }, /scope must be/],
    ['a lifetime of nothing', token, { scope: 'repo:read', ttlSeconds: 0 }, /'ttlSeconds' must be/],
    ['two hours', token, { scope: 'repo:read', ttlSeconds: 7200 }, /'ttlSeconds' must be/],
    [
      'a misspelt option',
      token,
      { scope: 'repo:read', keyID: 'x' } as DelegateOptions,
      /unknown option 'keyID'. Did you mean 'keyId'\?$/,
    ],
    [
      'a misspelt limit',
      token,
      { scope: 'repo:read', authorizationDetails: [{ type: 'Repo', identifiers: ['acme/api'] }] },
      /unknown member of authorizationDetails 'identifiers'. Did you mean 'identifier'\?$/,
    ],
    ['a key id that is none', token, { scope: 'repo:read', keyId: 'x' }, /cnf/],
    ['what is over', tokenOf({ aud: api, scope: 'a', exp: now }), { scope: 'a' }, /has expired/],
    ['an opaque token', 'opaque', { scope: 'a' }, /not a JWT/],
    ['no audience anywhere', tokenOf({ scope: 'a' }), { scope: 'a' }, /say for which API/],
  ])('refuses %s', async (_, from, options, message) => {
    const problem = await problemOf(() => a.withToken(from).delegate('agent-b', options));
    expect(problem).toMatch(message);
    expect(problem).toMatch(/^delegation_impossible delegate: /);
  });

  const limited = {
    ...partOf(token, 1),
    scope: 'repo:read',
    act: { sub: 'agent-a', act: { sub: 'agent-before' } },
    authorization_details: [{ type: 'Repo', identifier: 'acme/api', actions: ['repo.read', 'pr.create'] }],
    max_hops: 2,
  };
  const reading = { type: 'Repo', identifier: 'acme/api', actions: ['repo.read'] };

  it.each<[string, Partial<DelegateOptions>]>([
    ['nothing but a scope', {}],
    ['a limit to less', { authorizationDetails: [reading] }],
    ['one hop more', { maxHops: 1 }],
    ['its audience', { audience: [api] }],
  ])('hands on within the limits of a token: %s [C6]', async (_title, options) => {
    const bundle = await a.withToken(tokenOf(limited)).delegate('agent-b', { scope: 'repo:read', ...options });
    expect(bundle.links).toHaveLength(1);
  });

  it.each<[string, object, Partial<DelegateOptions>, RegExp]>([
    ['at another API', {}, { audience: 'https://mcp.acme.dev' }, /an audience that/],
    ['at one API more', {}, { audience: [api, 'https://mcp.acme.dev'] }, /an audience that/],
    ['another repo', {}, { authorizationDetails: [{ ...reading, identifier: 'acme/web' }] }, /do not lie within/],
    ['all repos', {}, { authorizationDetails: [{ type: 'Repo' }] }, /do not lie within/],
    ['details of another type', {}, { authorizationDetails: [reading, { type: 'Bucket' }] }, /do not lie within/],
    ['as many hops', {}, { maxHops: 2 }, /max_hops allows more/],
    ['what may not be handed on', { max_hops: 0 }, {}, /forbids to hand it on/],
    ['what is bound to another key', { cnf: { jkt: keyB.thumbprint } }, {}, /bound to another key/],
    [
      'to an agent that handed it on',
      { act: { sub: 'agent-a', act: { sub: 'agent-b' } } },
      {},
      /appears twice in the chain: agent-b/,
    ],
    ['a token that no API takes', { act: 'agent-a' }, {}, /no API would take the token: act/],
  ])('refuses to hand on %s, and signs nothing [C6]', async (_title, claims, options, says) => {
    let signed = 0;
    const key = { ...keyA, keyId: keyA.keyId, sign: () => Promise.reject(new Error(`signed ${++signed}`)) };
    const unwilling = await createAgent({ id: 'agent-a', key, clock });
    const held = unwilling.withToken(tokenOf({ ...limited, ...claims }));
    const problem = await problemOf(() => held.delegate('agent-b', { scope: 'repo:read', ...options }));
    expect(problem).toMatch(/^delegation_impossible delegate: .*[^.]\.$/);
    expect(problem).toMatch(says);
    expect(signed).toBe(0);
  });

  it('judges the links before it, too [C6]', async () => {
    const options = { scope: 'repo:read', maxHops: 1 };
    const handed = b.accept(await a.withToken(token).delegate('agent-b', options));
    expect(await problemOf(() => handed.delegate('agent-a', { scope: 'repo:read' }))).toMatch(/appears twice/);
    expect(await problemOf(() => handed.delegate('agent-c', options))).toMatch(/max_hops allows more/);
    const c = await createAgent({ id: 'agent-c', key: generateAgentKey(), clock });
    const last = c.accept(await handed.delegate('agent-c', { scope: 'repo:read' }));
    expect(await problemOf(() => last.delegate('agent-d', { scope: 'repo:read' }))).toMatch(/forbids to hand it on/);
  });

  it('refuses more hops than any API accepts [C1]', async () => {
    let signer: Pick<Agent, 'delegate'> = a.withToken(token);
    for (let hop = 1; hop <= 15; hop++) {
      const next = await createAgent({ id: `agent-${hop}`, key: generateAgentKey(), clock });
      signer = next.accept(await signer.delegate(`agent-${hop}`, { scope: 'repo:read' }));
    }
    expect(await problemOf(() => signer.delegate('agent-16', { scope: 'repo:read' }))).toMatch(/more delegations/);
  });

  it('refuses to hand on to itself, and its own right without an audience', async () => {
    expect(await problemOf(() => a.delegate('agent-a', { scope: 'a', audience: api }))).toMatch(/nobody delegates/);
    expect(await problemOf(() => a.delegate('agent-b', { scope: 'a' }))).toMatch(/say for which API/);
  });
});

function handedOn(options: Partial<DelegateOptions> = {}): Promise<DelegationBundle> {
  return a.withToken(token).delegate('agent-b', { scope: 'repo:read', ...options });
}

describe('accept', () => {
  it('sends token and links with each request, covered by the signature', async () => {
    const bundle = JSON.parse(JSON.stringify(await handedOn({ keyId: keyB.thumbprint }))) as DelegationBundle;
    await b.accept(bundle).fetch(`${server.url}/repos`);
    expect(field(server.last(), 'authorization')).toBe(`Bearer ${token}`);
    expect(field(server.last(), 'agent-delegation')).toBe(bundle.links[0]);
    expect(field(server.last(), 'signature-input')).toContain('"authorization" "agent-delegation"');
    expect(await verify(server.last(), keyB, now)).toMatchObject({ ok: true });
  });

  it('hands on again: the new link follows the old one', async () => {
    const first = await handedOn();
    const second = await b.accept(first).delegate('agent-c', { scope: 'repo:read', ttlSeconds: 10 });
    expect(second.links[0]).toBe(first.links[0]);
    expect(partOf(second.links[1], 1)).toMatchObject({
      iss: 'agent-b',
      sub: 'agent-c',
      pth: hashOf(first.links[0] ?? ''),
      exp: now + 10,
    });
    const c = await createAgent({ id: 'agent-c', key: generateAgentKey(), clock });
    await c.accept(second).fetch(server.url);
    expect(field(server.last(), 'agent-delegation')).toBe(second.links.join(', '));
  });

  it('does not send the links over plain http', async () => {
    const signer = b.accept(await a.delegate('agent-b', { scope: 'a', audience: api }));
    expect(await problemOf(() => signer.fetch('http://api.acme.dev/'))).toMatch(/^insecure_credential/);
    const headers = { 'agent-delegation': 'x' };
    expect(await problemOf(() => signer.fetch(server.url, { headers }))).toMatch(/^credential_conflict/);
  });

  it('refuses a bundle for another agent, another key, or over', async () => {
    const bundle = await handedOn();
    expect(await problemOf(() => a.accept(bundle))).toMatch(/^bundle_invalid .*for another agent/);
    const bound = await handedOn({ keyId: keyA.thumbprint });
    expect(await problemOf(() => b.accept(bound))).toMatch(/for another key/);
    const late = await createAgent({ id: 'agent-b', key: keyB, clock: () => (now + 100) * 1000 });
    expect(await problemOf(() => late.accept(bundle))).toMatch(/has expired/);
  });

  it('refuses a bundle that was cut, spliced or put in another order', async () => {
    const first = await handedOn();
    const { links } = await b.accept(first).delegate('agent-c', { scope: 'repo:read' });
    const c = await createAgent({ id: 'agent-c', key: generateAgentKey(), clock });
    const refused = (change: object) => problemOf(() => c.accept({ version: 1, token, links, ...change }));
    expect(await refused({ links: links.toReversed() })).toMatch(/does not follow/);
    expect(await refused({ links: links.slice(1) })).toMatch(/does not follow/);
    expect(await refused({ links: links.slice(0, 1) })).toMatch(/for another agent/);
    expect(await refused({ token: undefined })).toMatch(/does not follow/);
    expect(await refused({ token: `${token}x` })).toMatch(/does not follow/);
  });

  it('says of a bundle that is a promise still that it is one', async () => {
    const promised = Promise.resolve({}) as unknown as DelegationBundle;
    expect(await problemOf(() => b.accept(promised))).toMatch(/it is a promise. Write 'await' before it\.$/);
  });

  it.each([
    [undefined],
    [null],
    ['{}'],
    [{}],
    [{ version: 2, links: ['a.b.c'] }],
    [{ version: 1, links: [] }],
    [{ version: 1, links: 'a.b.c' }],
    [{ version: 1, links: ['a.b'] }],
    [{ version: 1, links: ['a.b.c'] }],
    [{ version: 1, links: [null] }],
    [{ version: 1, token: 'a b', links: ['a.b.c'] }],
    [{ version: 1, links: ['a.b.c'], extra: 1 }],
    [{ version: 1, links: Array.from({ length: 17 }, () => 'a.b.c') }],
  ])('refuses what is no bundle: %j', async (bundle) => {
    expect(await problemOf(() => b.accept(bundle as DelegationBundle))).toMatch(/^bundle_invalid/);
  });
});
