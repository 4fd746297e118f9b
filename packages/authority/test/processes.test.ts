import { decodeJwt } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAuthority, openPostgres } from '../src/index.js';
import { api, startAuthority } from './support/authority.js';
import { assertion, newKey, ownToken, post } from './support/client.js';
import { cookieOf, login, world } from './support/sign-in.js';
import { emptyDatabase, engines } from './support/stores.js';

async function pair() {
  const pool = await emptyDatabase();
  const first = await startAuthority({ store: await openPostgres(pool) });
  const secret = 'secret-of-the-tests-0123456789-0123456789';
  const { issuer } = first;
  const second = await createAuthority({
    issuer,
    secret,
    store: await openPostgres(pool),
    resources: [{ audience: api }],
  });
  onTestFinished(() => second.close());
  // The address of the first leads to either, as behind a load balancer.
  const turn = { of: first.authority };
  first.server.removeAllListeners('request');
  first.server.on('request', (request, response) => turn.of.listener(request, response));
  return { first, second, turn };
}

describe.skipIf(engines[1]?.skip)('two processes on one Postgres database', () => {
  it('know the same agents, tokens, keys and revocations at once', async () => {
    const { first, second, turn } = await pair();
    const key = newKey();
    await first.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    turn.of = second;
    const { access_token: token } = await ownToken(first, 'agent-a', key);
    const active = async () =>
      ((await (await post(first, '/introspect', 'agent-a', key, { token })).json()) as { active: boolean }).active;
    turn.of = first.authority;
    expect(await active()).toBe(true);
    expect((await post(first, '/revoke', 'agent-a', key, { token })).status).toBe(200);
    turn.of = second;
    expect(await active()).toBe(false);
    await first.authority.agents.setStatus('agent-a', 'suspended');
    expect((await ownToken(first, 'agent-a', key)).error).toBe('invalid_client');
  });

  it('publish one directory, byte for byte, and each change at once [C7]', async () => {
    const { first, second, turn } = await pair();
    const read = async (authority: typeof second) => {
      turn.of = authority;
      const response = await fetch(`${first.issuer}/agents.jwt`);
      return { text: await response.text(), etag: response.headers.get('etag') };
    };
    await first.authority.agents.add({ id: 'agent-a', jwk: newKey().jwk });
    // Both sign in one period of five minutes.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const before = await read(first.authority);
    expect(await read(second)).toEqual(before);
    await second.agents.setStatus('agent-a', 'suspended');
    const after = await read(first.authority);
    expect(decodeJwt(after.text)).toMatchObject({ agents: [{ agent_id: 'agent-a', status: 'suspended' }] });
    expect(await read(second)).toEqual(after);
    expect(after.etag).not.toBe(before.etag);
  });

  it('accept an assertion once, whichever gets it [A10]', async () => {
    const { first, second, turn } = await pair();
    const key = newKey();
    await second.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    const one = await assertion(first.issuer, 'agent-a', key);
    const statuses: number[] = [];
    for (const authority of [first.authority, second, first.authority]) {
      turn.of = authority;
      statuses.push(
        (await post(first, '/token', 'agent-a', key, { grant_type: 'client_credentials' }, { assertion: one })).status,
      );
    }
    expect(statuses).toEqual([200, 401, 401]);
  });

  it('let a user begin a sign-in at one, finish it at the other, and sign out at either', async () => {
    const pool = await emptyDatabase();
    const { running, users, browser, page } = await world({ store: await openPostgres(pool) });
    const second = await createAuthority({
      issuer: running.issuer,
      secret: 'secret-of-the-tests-0123456789-0123456789',
      store: await openPostgres(pool),
      resources: [{ audience: api }],
      users,
    });
    onTestFinished(() => second.close());
    const turn = { of: running.authority };
    running.server.removeAllListeners('request');
    running.server.on('request', (request, response) => turn.of.listener(request, response));
    const there = await browser.open(page);
    turn.of = second;
    const seen = await login(browser, there);
    expect(seen.text).toContain('alice@acme.dev');
    turn.of = running.authority;
    expect((await browser.open(page)).text).toContain('alice@acme.dev');
    const session = cookieOf(browser, 'countersign-session')?.split(';', 1)[0] ?? '';
    await browser.submit(seen, '/sign-out');
    turn.of = second;
    expect((await fetch(page, { redirect: 'manual', headers: { cookie: session } })).status).toBe(303);
  });
});
