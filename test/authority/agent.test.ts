import { createAgent } from '@countersign/agent';
import { expect, it } from 'vitest';
import { listen, newAgentKey, startAuthority, type Started } from './support.js';

const rules = [
  { agents: ['agent-a'], issuer: 'https://login.acme.dev' },
  { agents: ['agent-b'], from: ['agent-a'] },
];

/** An authority, and an API that shows the token that it got. */
async function world(path = '') {
  const tokens: string[] = [];
  const audience = await listen((request, response) => {
    tokens.push(String(request.headers.authorization));
    response.end();
  });
  return { tokens, audience, ...(await startAuthority({ audience, path, exchange: rules })) };
}

async function join({ authority, issuer }: Started, id: string, clock = Date.now) {
  const { key } = await newAgentKey();
  await authority.agents.add({ id, jwk: key.publicJwk, capabilities: ['repo:read', 'pr:write'] });
  return await createAgent({ id, key, authority: issuer, clock });
}

const claimsOf = (header = '') =>
  JSON.parse(Buffer.from(header.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

it.each(['', '/oidc'])('an agent acts for a user of an identity provider, with the authority at %j', async (path) => {
  const started = await world(path);
  const agent = await join(started, 'agent-a');
  const forUser = await agent.actFor(await started.idp.token('alice', 'repo:read pr:write'), { scope: ['repo:read'] });
  await forUser.fetch(started.audience);
  expect(claimsOf(started.tokens[0])).toMatchObject({ sub: 'acme:alice', act: { sub: 'agent-a' }, scope: 'repo:read' });
});

it('an agent gets one token for many calls, and a new one before it expires', async () => {
  const started = await world();
  let ahead = 0;
  const agent = await join(started, 'agent-a', () => Date.now() + ahead);
  const own = await agent.withOwnToken();
  await Promise.all(Array.from({ length: 20 }, () => own.fetch(started.audience)));
  expect(new Set(started.tokens).size).toBe(1);
  // Beyond the token's end by the clock of the agent, whose assertions are then signed by the clock of the authority.
  ahead = 400_000;
  await own.fetch(started.audience);
  expect(new Set(started.tokens).size).toBe(2);
});

it('an agent hands on what it got for a user, and another exchanges it', async () => {
  const started = await world();
  const [a, b] = [await join(started, 'agent-a'), await join(started, 'agent-b')];
  const forUser = await a.actFor(() => started.idp.token('alice', 'repo:read'));
  const bundle = await forUser.delegate('agent-b', { scope: ['repo:read'] });
  expect(bundle.token).toBeDefined();
  const exchanged = await b.actFor(String(bundle.token));
  await exchanged.fetch(started.audience);
  expect(claimsOf(started.tokens[0])).toMatchObject({ act: { sub: 'agent-b', act: { sub: 'agent-a' } } });
});

it('an agent asks once for a user who ended it, is told so, and goes on after the next sign-in [C7]', async () => {
  const started = await world();
  let signedIn = await started.idp.token('alice', 'repo:read', -30);
  let asked = 0;
  let ahead = 0;
  const agent = await join(started, 'agent-a', () => Date.now() + ahead);
  const forUser = await agent.actFor(() => {
    asked += 1;
    return signedIn;
  });
  await started.authority.delegations.revoke({ subject: 'acme:alice' });
  ahead = 400_000;
  await expect(forUser.fetch(started.audience)).rejects.toMatchObject({
    code: 'token_refused',
    message: expect.stringContaining('the user or an administrator ended this agent') as unknown,
  });
  expect(asked).toBe(2);
  signedIn = await started.idp.token('alice', 'repo:read', 2);
  await forUser.fetch(started.audience);
  expect(started.tokens).toHaveLength(1);
});

it('an agent is told what the authority refuses', async () => {
  const started = await world();
  const [a, b] = [await join(started, 'agent-a'), await join(started, 'agent-b')];
  const user = await started.idp.token('alice', 'repo:read');
  await expect(b.actFor(user)).rejects.toMatchObject({
    code: 'token_refused',
    message: expect.stringContaining('no rule') as unknown,
  });
  await expect(a.actFor(user, { scope: 'admin' })).rejects.toMatchObject({ code: 'token_refused' });
  await started.authority.agents.setStatus('agent-a', 'suspended');
  await expect(a.actFor(user)).rejects.toMatchObject({ code: 'token_refused' });
});
