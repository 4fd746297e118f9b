import { sign } from 'node:crypto';
import { Client } from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { decodeProtectedHeader } from 'jose';
import { openPostgres } from '../src/index.js';
import { startAuthority } from './support/authority.js';
import { assertion, exchange, newKey, ownToken, post, registration } from './support/client.js';
import {
  asShown,
  authorizeUrl,
  consent,
  newPkce,
  open as openPage,
  redeem,
  startPages,
  submit,
  ticketOf,
} from './support/pages.js';
import { emptyDatabase, engines } from './support/stores.js';

const grant = { grant_type: 'client_credentials' };

describe.skipIf(engines[1]?.skip)('an authority on Postgres', () => {
  it('answers 503 while the database is down, and works again by itself', async () => {
    const pool = await emptyDatabase();
    const troubles: string[] = [];
    const running = await startAuthority({
      store: await openPostgres(pool),
      onTrouble: (message) => void troubles.push(message),
    });
    const key = newKey();
    await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    const { database = '', ...server } = pool.options;
    const admin = new Client({ ...server, database: 'postgres' });
    await admin.connect();
    onTestFinished(() => admin.end());

    await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database]);
    const statuses = await Promise.all([
      post(running, '/token', 'agent-a', key, grant),
      post(running, '/introspect', 'agent-a', key, { token: 'x' }),
      fetch(`${running.issuer}/agents.jwt`),
      running.admin('POST', '/agents', { id: 'agent-b', jwk: newKey().jwk }),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
    expect(troubles[0]).toMatch(/^a request failed: StoreUnavailable/);
    // The keys that verify tokens are held: guards go on.
    expect((await fetch(`${running.issuer}/jwks`)).status).toBe(200);

    await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    expect((await post(running, '/token', 'agent-a', key, grant)).status).toBe(200);
    expect(await running.authority.agents.get('agent-b')).toBeUndefined();
  });
});

describe.skipIf(engines[1]?.skip)('a database that is down', () => {
  it('uses nothing up: what was refused with 503 counts once it is back [O2, O4, A10]', async () => {
    const pool = await emptyDatabase();
    const { running, key } = await startPages({ store: await openPostgres(pool), onTrouble: () => {} });
    const { issuer, authority } = running;
    const { database = '', ...server } = pool.options;
    const admin = new Client({ ...server, database: 'postgres' });
    await admin.connect();
    onTestFinished(() => admin.end());

    const pkce = newPkce();
    const code = await consent(running, 'user:alice', pkce);
    const page = await (await openPage(authorizeUrl(issuer, newPkce().challenge), 'user:alice')).text();
    const invitation = await authority.invitations.create({ id: 'agent-b', capabilities: ['repo:read'] });
    await authority.challenges.expect('agent-a', 'approve-request:174325');
    const message = Buffer.from('approve-request:174325');
    const challenge = {
      agent_id: 'agent-a',
      message: message.toString('base64'),
      signature: sign(null, message, key.privateKey).toString('base64'),
    };
    const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const invited = {
      ...json,
      headers: { ...json.headers, authorization: `Bearer ${invitation.initial_access_token}` },
      body: JSON.stringify(await registration(issuer, 'agent-b', newKey())),
    };
    const signed = await assertion(issuer, 'agent-a', key);
    const attempts = async () =>
      await Promise.all([
        redeem(running, key, code, pkce),
        submit(`${issuer}/consent`, 'user:alice', [['ticket', ticketOf(page)], ...asShown]),
        fetch(`${issuer}/register`, invited),
        fetch(`${issuer}/challenge/token`, { ...json, body: JSON.stringify(challenge) }),
        post(running, '/token', 'agent-a', key, grant, { assertion: signed }),
      ]);

    await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database]);
    expect((await attempts()).map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
    await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    expect((await attempts()).map(({ status }) => status)).toEqual([200, 303, 201, 200, 200]);
    expect((await attempts()).map(({ status }) => status)).toEqual([400, 409, 401, 400, 401]);
  });
});

describe.each(engines)('an authority on $name', ({ skip, open }) => {
  it.skipIf(skip)('leaves no token alive that is made while its parent is revoked [C7]', async () => {
    const running = await startAuthority({
      store: await open(),
      exchange: [{ agents: ['agent-b'], from: ['agent-a'] }],
    });
    const [a, b] = [newKey(), newKey()];
    await running.authority.agents.add({ id: 'agent-a', jwk: a.jwk, capabilities: ['repo:read'] });
    await running.authority.agents.add({ id: 'agent-b', jwk: b.jwk, capabilities: ['repo:read'] });
    const { access_token: parent } = await ownToken(running, 'agent-a', a);
    const exchanges = Array.from({ length: 20 }, () => exchange(running, 'agent-b', b, parent));
    const first = await Promise.race(exchanges);
    expect(first.error).toBeUndefined();
    expect((await post(running, '/revoke', 'agent-a', a, { token: parent })).status).toBe(200);
    const made = (await Promise.all(exchanges)).filter(({ error }) => error === undefined);
    for (const { access_token: token } of made) {
      const shown = await post(running, '/introspect', 'agent-b', b, { token });
      expect(await shown.json()).toEqual({ active: false });
    }
  });

  it.skipIf(skip)('changes its signing key without a restart, and old tokens go on', async () => {
    const running = await startAuthority({ store: await open() });
    const key = newKey();
    await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    const start = Date.now();
    const at = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: start + seconds * 1000 });
    onTestFinished(() => void vi.useRealTimers());
    at(0);
    await running.authority.rotateSigningKey();
    at(590);
    const old = (await ownToken(running, 'agent-a', key)).access_token;
    at(610);
    const young = (await ownToken(running, 'agent-a', key)).access_token;
    const [before, after] = [old, young].map((token) => decodeProtectedHeader(token).kid);
    expect(after).not.toBe(before);
    const { keys } = (await (await fetch(`${running.issuer}/jwks`)).json()) as { keys: { kid: string }[] };
    expect(keys.map(({ kid }) => kid)).toEqual([after, before]);
    for (const token of [old, young]) {
      const shown = await post(running, '/introspect', 'agent-a', key, { token });
      expect(await shown.json()).toMatchObject({ active: true });
    }
  });
});
