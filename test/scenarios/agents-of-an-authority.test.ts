import { createAuthority, openSqlite } from '@countersign/authority';
import { agentsFromAuthority, type RemoteDirectoryOptions } from '@countersign/core';
import { expect, it, onTestFinished } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import { down, loopback, startKeyServer } from '../support/key-server.js';
import { reviewer, reviewerCapabilities, reviewerId, runner, runnerId, stranger } from '../support/world.js';

/** An API whose guard follows the directory of an authority on a real socket, and a clock that the test sets ahead. */
async function following(api: Api, options: Pick<RemoteDirectoryOptions, 'maxStaleSeconds'> = {}) {
  const server = await startKeyServer(down);
  const issuer = server.url;
  const authority = await createAuthority({
    issuer,
    secret: 'secret-of-the-scenarios-0123456789-0123456789',
    store: await openSqlite(':memory:'),
    resources: [{ audience: 'https://api.acme.dev' }],
  });
  onTestFinished(() => authority.close());
  server.answer = authority.listener;
  await authority.agents.add({
    id: reviewerId,
    publicKey: reviewer.publicBase64,
    capabilities: reviewerCapabilities,
    owner: 'platform-team',
    roles: ['reviewer'],
  });
  await authority.agents.add({ id: runnerId, jwk: runner.publicJwk, capabilities: ['repo:read'] });
  const start = Date.now();
  let later = 0;
  const clock = () => Date.now() + later * 1000;
  const agents = await agentsFromAuthority(issuer, { ...loopback, ...options, clock });
  const guarded = await api.variant({ start: { guard: { agents } } });
  return {
    server,
    authority,
    guarded,
    /** So long, at most, a change takes. */
    later: () => void (later += 16),
    setAhead: (seconds: number) => void (later = seconds),
    start: Math.floor(start / 1000),
  };
}

onEveryHost('Agents of an authority', (api) => {
  it('are refused once suspended or revoked, and accepted when resumed [C7]', async () => {
    const { authority, guarded, later } = await following(api);
    await guarded.accepts(guarded.signed(), 200);
    await authority.agents.setStatus(reviewerId, 'suspended');
    later();
    await guarded.refuses(guarded.signed(), 401, 'agent_suspended');
    await guarded.refuses(await guarded.pull(), 401, 'agent_suspended');
    await guarded.accepts(guarded.signed({ key: runner }), 200);
    await authority.agents.setStatus(reviewerId, 'active');
    later();
    await guarded.accepts(await guarded.pull(), 201);
    await authority.agents.setStatus(reviewerId, 'revoked');
    later();
    await guarded.refuses(guarded.signed(), 401, 'key_unknown');
    // Its name stays taken: no issuer can vouch for a key under it, and no chain leads through it.
    const token = await guarded.token({ act: { sub: reviewerId }, cnf: { jwk: stranger.publicJwk } });
    await guarded.refuses(guarded.signed({ key: stranger, token }), 401, 'token_not_bound_to_agent');
    const through = await guarded.token({ act: { sub: runnerId, act: { sub: reviewerId } } });
    await guarded.refuses(guarded.signed({ key: runner, token: through }), 401, 'delegation_revoked');
  });

  it('are accepted by both keys during the overlap of a rotation, and then by the new one only [C7]', async () => {
    const { authority, guarded, later } = await following(api);
    await guarded.refuses(guarded.signed({ key: stranger }), 401, 'key_unknown');
    await authority.agents.addKey(reviewerId, { jwk: stranger.publicJwk }, { overlapSeconds: 600 });
    later();
    await guarded.accepts(guarded.signed({ key: stranger }), 200);
    await guarded.accepts(guarded.signed(), 200);
    await authority.agents.revokeKey(reviewerId, reviewer.thumbprint);
    later();
    expect((await guarded.send(guarded.signed())).status).toBe(401);
    // In the next period of the directory the key is not there any more.
    expect(['key_not_valid', 'key_unknown']).toContain(guarded.records.at(-1)?.code);
    await guarded.accepts(await guarded.pull({}, { key: stranger }), 201);
  });

  it('have a role until it ends, also while the authority is down [C7]', async () => {
    const { authority, server, guarded, later, setAhead, start } = await following(api);
    const upload = () => guarded.signed({ method: 'PUT', target: '/upload', body: 'text' });
    await authority.agents.update(reviewerId, { roles: [{ name: 'reviewer', until: start + 300 }] });
    later();
    await guarded.accepts(upload(), 200);
    server.answer = down;
    setAhead(310);
    await guarded.denies(upload(), 403, 'policy_denied');
    await guarded.accepts(guarded.signed(), 200);
  });

  it('are an outage once their directory is too old, and come back by themselves [A14]', async () => {
    // Short, so that the directory does not expire meanwhile: nobody sets the clock of the authority ahead.
    const { authority, server, guarded, setAhead } = await following(api, { maxStaleSeconds: 600 });
    server.answer = down;
    setAhead(500);
    await guarded.accepts(guarded.signed(), 200);
    await guarded.refuses(guarded.signed({ key: stranger }), 503, 'keys_unavailable');
    setAhead(700);
    await guarded.refuses(guarded.signed(), 503, 'keys_unavailable');
    server.answer = authority.listener;
    setAhead(760);
    await guarded.accepts(guarded.signed(), 200);
  });

  it('are neither taken from another issuer, nor from an older directory [A14, B4]', async () => {
    const { authority, server, guarded, later, setAhead } = await following(api);
    const before = await (await fetch(`${server.url}/agents.jwt`)).text();
    const type = 'application/agent-directory+jwt';
    await authority.agents.setStatus(reviewerId, 'suspended');
    later();
    await guarded.refuses(guarded.signed(), 401, 'agent_suspended');
    const evil = await createAuthority({
      issuer: 'https://id.evil.example',
      secret: 'secret-of-the-scenarios-0123456789-0123456789',
      store: await openSqlite(':memory:'),
      resources: [{ audience: 'https://api.acme.dev' }],
    });
    onTestFinished(() => evil.close());
    await evil.agents.add({ id: reviewerId, jwk: reviewer.publicJwk });
    for (const [index, body] of [before, `${before.slice(0, -8)}AAAAAAAA`].entries()) {
      server.answer = (_, response) => void response.setHeader('content-type', type).end(body);
      setAhead(60 + index * 20);
      await guarded.refuses(guarded.signed(), 401, 'agent_suspended');
    }
    server.answer = (request, response) =>
      evil.listener(Object.assign(request, { headers: { ...request.headers, host: 'id.evil.example' } }), response);
    setAhead(120);
    await guarded.refuses(guarded.signed(), 401, 'agent_suspended');
  });

  it('cannot be followed while the authority is down at start', async () => {
    const server = await startKeyServer(down);
    await expect(agentsFromAuthority(server.url, loopback)).rejects.toThrow(/Start the authority first/);
  });
});
