import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { createUserDelegations } from '../../src/delegation/consents.js';
import { type Ended, ending, isEnded, notEnded, sinceLastEnd } from '../../src/delegation/ends.js';
import { createLedger, type LedgerEntry } from '../../src/delegation/ledger.js';
import { openPostgres } from '../../src/storage/postgres.js';
import { sql, type Statement, type Store } from '../../src/storage/store.js';
import { sweep } from '../../src/storage/sweeper.js';
import { startAuthority } from '../support/authority.js';
import { claimsOf, exchange, newKey, post, type TokenAnswer } from '../support/client.js';
import { authenticate, open as openPage, submit, ticketOf } from '../support/pages.js';
import { emptyDatabase, engines } from '../support/stores.js';

const idp = 'https://login.acme.dev';
const alice = 'acme:alice';
const now = () => Math.floor(Date.now() / 1000);
const ended = { error: 'invalid_grant', error_description: expect.stringContaining('ended this agent') as unknown };

/** Agents A and B exchange the sign-in of a user, and B also what A got. */
async function world(store: Store) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const running = await startAuthority({
    store,
    users: { authenticate },
    externalIssuers: [
      {
        issuer: idp,
        audience: 'authority',
        subjectNamespace: 'acme:',
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] },
      },
    ],
    exchange: [
      { agents: ['agent-a', 'agent-b'], issuer: idp },
      { agents: ['agent-b'], from: ['agent-a'] },
    ],
  });
  const keys = { 'agent-a': newKey(), 'agent-b': newKey() };
  for (const [id, { jwk }] of Object.entries(keys)) {
    await running.authority.agents.add({ id, jwk, capabilities: ['repo:read'] });
  }
  const page = `${running.issuer}/delegations`;
  return {
    running,
    act: async (agent: keyof typeof keys, token: string): Promise<TokenAnswer> =>
      await exchange(running, agent, keys[agent], token),
    isActive: async (agent: keyof typeof keys, { access_token: token }: TokenAnswer) =>
      ((await (await post(running, '/introspect', agent, keys[agent], { token })).json()) as { active: boolean })
        .active,
    /** The token of a sign-in, `ago` seconds before now. */
    signIn: async (user = 'alice', ago = 30) =>
      await new SignJWT({ iss: idp, sub: user, aud: 'authority', scope: 'repo:read' })
        .setIssuedAt(now() - ago)
        .setExpirationTime(now() + 600)
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k' })
        .sign(privateKey),
    end: async (fields: Readonly<Record<string, string>>, user = alice) => {
      const ticket = ticketOf(await (await openPage(page, user)).text());
      const answer = await submit(page, user, { ticket, ...fields });
      return await (await openPage(String(answer.headers.get('location')), user)).text();
    },
  };
}

const rows = async (store: Store) =>
  await store.run(sql`SELECT subject, agent, ended_at FROM countersign_ends ORDER BY subject, agent`);

describe.each(engines)('what was ended, on $name', ({ skip, open }) => {
  it.skipIf(skip)('does not begin again with the sign-in that the agent still has [C7]', async () => {
    const { act, signIn, end, isActive } = await world(await open());
    const [hers, bobs] = [await signIn(), await signIn('bob')];
    const first = await act('agent-a', hers);
    expect(await end({ agent: 'agent-a' })).toContain('sign in where you use it, again');
    expect(await isActive('agent-a', first)).toBe(false);
    expect(await act('agent-a', hers)).toMatchObject(ended);
    expect(await act('agent-a', await signIn('alice', 1))).toMatchObject(ended);
    expect((await act('agent-b', hers)).error).toBeUndefined();
    expect((await act('agent-a', bobs)).error).toBeUndefined();
    // She signs in again: nobody has to help.
    expect((await act('agent-a', await signIn('alice', -2))).error).toBeUndefined();
  });

  it.skipIf(skip)('stays ended for all agents until the user signs in again [C7]', async () => {
    const { act, signIn, end } = await world(await open());
    const hers = await signIn();
    await act('agent-a', hers);
    await end({ all: 'yes' });
    expect(await act('agent-a', hers)).toMatchObject(ended);
    expect(await act('agent-b', hers)).toMatchObject(ended);
    const later = await signIn('alice', -2);
    expect((await act('agent-a', later)).error).toBeUndefined();
    expect((await act('agent-b', later)).error).toBeUndefined();
  });

  it.skipIf(skip)('does not begin again with the token of another agent for an earlier sign-in [C7]', async () => {
    const { act, signIn, end } = await world(await open());
    const hers = await signIn();
    const { access_token: before } = await act('agent-a', hers);
    await act('agent-b', before);
    await end({ agent: 'agent-b' });
    expect(await act('agent-b', before)).toMatchObject(ended);
    const { access_token: after } = await act('agent-a', hers);
    expect(await act('agent-b', after)).toMatchObject(ended);
    const { access_token: renewed } = await act('agent-a', await signIn('alice', -2));
    expect((await act('agent-b', renewed)).error).toBeUndefined();
  });

  it.skipIf(skip)(
    'holds when an administrator revokes a subject, also before any token, or an actor [C7]',
    async () => {
      const { running, act, signIn } = await world(await open());
      const revoke = async (body: object) => await (await running.admin('POST', '/revocations', body)).json();
      const [hers, bobs] = [await signIn(), await signIn('bob')];
      expect(await revoke({ subject: alice })).toEqual({ revoked: 0 });
      expect(await act('agent-a', hers)).toMatchObject(ended);
      expect((await act('agent-a', bobs)).error).toBeUndefined();
      expect(await revoke({ actor: 'agent-a' })).toEqual({ revoked: 1 });
      expect(await act('agent-a', bobs)).toMatchObject(ended);
      expect((await act('agent-b', bobs)).error).toBeUndefined();
      // One token is one token: the agent may exchange the sign-in again.
      const { access_token: one } = await act('agent-b', bobs);
      expect(await revoke({ delegation: claimsOf(one).jti })).toEqual({ revoked: 1 });
      expect((await act('agent-b', bobs)).error).toBeUndefined();
    },
  );

  it.skipIf(skip)('leaves no token alive that is got at the same moment [C7]', async () => {
    const { running, act, signIn, isActive } = await world(await open());
    const hers = await signIn();
    const exchanges = Array.from({ length: 20 }, () => act('agent-a', hers));
    await Promise.race(exchanges);
    await running.authority.delegations.revoke({ subject: alice });
    const answers = await Promise.all(exchanges);
    for (const answer of answers) {
      if (answer.error === undefined) expect(await isActive('agent-a', answer)).toBe(false);
      else expect(answer).toMatchObject(ended);
    }
    expect(await act('agent-a', hers)).toMatchObject(ended);
  });

  it.skipIf(skip)('counts the same second as before, and is not shortened by a clock that is behind', async () => {
    const store = await open();
    const free = async (grantedAt: number) =>
      (await store.batch(notEnded({ subject: alice, agent: 'agent-a', grantedAt }))) !== undefined;
    expect(await free(0)).toBe(true);
    await store.batch(ending({ subject: alice }, 1000));
    expect([await free(999), await free(1000), await free(1001)]).toEqual([false, false, true]);
    // Nor is it the same as the one before.
    await store.batch(ending({ subject: alice }, 990));
    expect([await free(1001), await free(1002)]).toEqual([false, true]);
    expect(await isEnded(store, { subject: alice, agent: 'agent-a', grantedAt: 1000 })).toBe(true);
    expect(await isEnded(store, { subject: 'acme:bob', agent: 'agent-a', grantedAt: 1000 })).toBe(false);
  });

  it.skipIf(skip)('ends what a person may do themselves, whatever the clock of the end', async () => {
    const store = await open();
    const holds = async (grantedAt: number) =>
      (await store.batch(notEnded({ subject: alice, agent: '', grantedAt }))) !== undefined;
    for (const at of [1000, 1000, 940, 1060]) {
      const before = await sinceLastEnd(store, alice);
      await store.batch(ending({ subject: 'acme:bob' }, at));
      await store.batch(ending({ agent: 'agent-a' }, at));
      expect(await holds(before)).toBe(true);
      await store.batch(ending({ subject: alice }, at));
      expect(await holds(before)).toBe(false);
      expect(await holds(await sinceLastEnd(store, alice))).toBe(true);
    }
  });

  it.skipIf(skip)('takes one row for a user and a registered agent, and one for all agents', async () => {
    const store = await open();
    for (const id of ['agent-a', 'agent-b'])
      await createAgentRegistry(store, now).add({ id, publicKey: newKey().publicKey });
    const users = createUserDelegations(store, () => 1000);
    for (let round = 0; round < 3; round++) {
      for (const agent of ['agent-a', 'agent-b', `made-up-${round}`]) await users.revoke(alice, { agent });
    }
    await users.revoke('acme:bob', { agent: 'agent-a' });
    expect(await rows(store)).toEqual([
      { subject: alice, agent: 'agent-a', ended_at: expect.any(Number) },
      { subject: alice, agent: 'agent-b', ended_at: expect.any(Number) },
      { subject: 'acme:bob', agent: 'agent-a', ended_at: expect.any(Number) },
    ]);
    await users.revoke(alice, 'all');
    expect(await rows(store)).toEqual([
      { subject: alice, agent: '', ended_at: expect.any(Number) },
      { subject: 'acme:bob', agent: 'agent-a', ended_at: expect.any(Number) },
    ]);
  });

  it.skipIf(skip)('is remembered as long as a sign-in can be exchanged, 30 days, and then swept', async () => {
    const store = await open();
    const all: readonly Ended[] = [{ subject: alice }, { agent: 'agent-a' }];
    for (const each of all) await store.batch(ending(each, 1000));
    const key = newKey();
    await createAgentRegistry(store, () => 1000).add({ id: 'agent-a', jwk: key.jwk });
    const entry = { issuer: idp, subject: alice, actor: 'agent-a', claims: {}, expiresAt: 3_000_000 };
    /** A clock that is ahead is no proof: an agent must get a token, whose proof is of its own clock. */
    const later = createLedger(store, () => 1000 + 2_592_600);
    await later.record({ ...entry, id: 'a consent', thumbprint: '' });
    expect(await sweep(store, 1000 + 2_592_600)).toBe(0);
    await later.record({ ...entry, id: 'a token', thumbprint: key.thumbprint });
    expect(await sweep(store, 1000 + 2_592_599)).toBe(0);
    expect(await sweep(store, 1000 + 2_592_600)).toBe(2);
  });
});

describe.skipIf(engines[1]?.skip)('an end on Postgres', () => {
  it.each<readonly [string, Ended, (store: Store) => Promise<number>]>([
    ['of a user', { subject: alice }, (store) => createUserDelegations(store, now).revoke(alice, 'all')],
    ['of an actor', { agent: 'agent-a' }, (store) => createLedger(store, now).revoke({ actor: 'agent-a' })],
  ])('%s waits for the exchange in another process that began before it [C7]', async (_name, what, end) => {
    const pool = await emptyDatabase();
    const store = await openPostgres(pool);
    const key = newKey();
    await createAgentRegistry(store, now).add({ id: 'agent-a', jwk: key.jwk });
    const grant = { subject: alice, agent: 'agent-a', grantedAt: now() };
    const entry: LedgerEntry = {
      id: 'in-flight',
      issuer: idp,
      subject: alice,
      actor: 'agent-a',
      thumbprint: key.thumbprint,
      claims: {},
      expiresAt: now() + 60,
      grantedAt: grant.grantedAt,
    };
    const client = await pool.connect();
    // The transaction of an exchange, held open: its statements, as they are given to the store.
    let statements: readonly Statement[] = [];
    const recorder: Store = { ...store, batch: (given) => ((statements = given), Promise.resolve(undefined)) };
    await createLedger(recorder, now).record(entry, { before: notEnded(grant) });
    await client.query('BEGIN');
    for (const { text, values } of statements) await client.query(text, [...values]);
    const ended = end(store);
    const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await vi.waitFor(async () => expect((await pool.query(waiting)).rows).toHaveLength(1), patiently);
    await client.query('COMMIT');
    client.release();
    expect(await ended).toBe(1);
    expect(await createLedger(store, now).find('in-flight')).toBeUndefined();
    expect(await isEnded(store, { ...what, ...grant })).toBe(true);
  });
});
