import { join } from 'node:path';
import type { Agent } from '@countersign/agent';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blocksOf, readPage } from '../docs/blocks.js';
import { auditRecords } from '../support/audit-log.js';
import { patiently } from '../support/patiently.js';
import { AdoptedProgram, type Call, delegationOf, sourceOf, supportAgent, user } from './adopted-program.js';
import { applied, changedLines } from './patch.js';

/** The pages, with the programs of their diffs in order. */
const pages = [
  { page: readPage('docs/guides/adopt-login.md'), names: ['express', 'fastify', 'koa'] },
  {
    page: readPage('docs/guides/adopt-login-sessions.md'),
    names: ['express-session', 'fastify-session', 'koa-session'],
  },
  { page: readPage('docs/guides/adopt-login-passport.md'), names: ['passport', 'passport-all', 'nestjs'] },
];

const programs = pages.flatMap(({ page, names }) => {
  const diffs = blocksOf(page).filter(({ language }) => language === 'diff');
  return names.map((name, index) => ({ name, page, diff: diffs[index]?.code ?? 'no diff' }));
});

/** A token of the application's own login, like `loginToken` of the example. */
const secret = /'(a secret for this example[^']*)'/.exec(sourceOf('login/accounts.ts'))?.[1] ?? '';
const password = /'(a password for this example[^']*)'/.exec(sourceOf('login/accounts.ts'))?.[1] ?? '';
const signedIn = async (): Promise<string> => {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));
  return `Bearer ${token}`;
};

/** How a person is signed in at a program: by a token, or by the cookie of a session. */
async function signedInAt(program: AdoptedProgram, name: string, as = user): Promise<Partial<Call>> {
  if (!name.endsWith('-session')) return { authorization: await signedIn() };
  const answer = await program.call({ method: 'POST', path: '/login', body: { user: as, password } });
  expect(answer.status).toBe(204);
  return { cookie: answer.cookie };
}

describe('the pages about logins', () => {
  it.each(programs)('show the difference between the application before and after with $name', ({ name, diff }) => {
    expect(applied(diff, sourceOf(`login/${name}/before.ts`))).toBe(sourceOf(`login/${name}/after.ts`));
  });

  it.each(programs)('count the changed lines with $name', ({ name, page, diff }) => {
    const added = diff.split('\n').filter((line) => line.startsWith('+')).length;
    expect(page.text, name).toContain(`${added} lines added, ${changedLines(diff) - added} removed.`);
  });

  it('show guard.ts unchanged', () => {
    expect(blocksOf(readPage('docs/guides/adopt-login.md')).map(({ code }) => code)).toContain(
      sourceOf('login/guard.ts'),
    );
  });
});

describe.each(programs)('an application with a login, $name', ({ name }) => {
  const path = '/basket';
  let before: AdoptedProgram;
  let after: AdoptedProgram;
  let agent: Agent;
  beforeAll(async () => {
    agent = await supportAgent();
    before = await AdoptedProgram.start(`login/${name}/before.js`);
    after = await AdoptedProgram.start(`login/${name}/after.js`);
  });
  afterAll(async () => {
    await before?.stop();
    await after?.stop();
  });

  it('serves only people who are signed in, as before', async () => {
    for (const program of [before, after]) {
      const person = await signedInAt(program, name);
      expect(await program.call({ path })).toMatchObject({ status: 401 });
      expect(await program.call({ method: 'POST', path, body: { item: 'a kettle' }, ...person })).toMatchObject({
        status: 201,
        body: JSON.stringify({ user, items: ['a kettle'] }),
      });
      const renewed = await program.call({ method: 'POST', path: '/renew', ...person });
      expect(renewed).toMatchObject({ status: 200, body: expect.stringContaining('"token":"') });
      expect(await program.call({ method: 'DELETE', path, ...person })).toMatchObject({ status: 204 });
    }
  });

  it('gives an agent the basket of its user when a permit allows it', async () => {
    const as = agent.withToken(await delegationOf('basket'));
    expect(await after.call({ method: 'POST', path, body: { item: 'a cup' }, as })).toMatchObject({
      status: 201,
      body: JSON.stringify({ user, items: ['a cup'] }),
    });
    const denied = agent.withToken(await delegationOf('orders:read'));
    expect(await after.call({ path, as: denied })).toMatchObject({
      status: 403,
      body: expect.stringContaining('"policy_denied"'),
    });
  });

  it('refuses an agent on the routes without a permit: emptying the basket and getting a login token', async () => {
    const as = agent.withToken(await delegationOf('basket'));
    for (const call of [
      { method: 'DELETE', path, as },
      { method: 'POST', path: '/renew', as },
    ]) {
      const answer = await after.call(call);
      expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('"route_unmapped"') });
      expect(answer.body).not.toContain('"token"');
    }
    expect((await after.call({ path, as })).body).toContain('a cup');
  });

  it('refuses an agent without a user, and an agent token without a signature', async () => {
    expect(await after.call({ path, as: agent })).toMatchObject({ status: 403 });
    const authorization = `Bearer ${await delegationOf('basket')}`;
    expect(await after.call({ path, authorization })).toMatchObject({ status: 401 });
  });

  it('gives an agent no session, and no credential of a person that comes with its request', async () => {
    const as = agent.withToken(await delegationOf('basket'));
    const person = await signedInAt(after, name, 'user_456');
    const cookie = person.cookie ?? 'connect.sid=s%3Aanother';
    const answer = await after.call({ path, as, cookie });
    expect(answer).toMatchObject({ status: 200, cookie: '' });
    expect(JSON.parse(answer.body)).toMatchObject({ user });
  });

  it.runIf(name === 'passport-all')('refuses an agent whose user may not act any more', async () => {
    const as = agent.withToken(await delegationOf('basket', 'user_456'));
    expect(await after.call({ path, as })).toMatchObject({ status: 403, body: 'Forbidden' });
  });

  it('records each call of the agent with its user, and none of a person', async () => {
    const records = await vi.waitFor(() => {
      const found = auditRecords(join(after.folder, 'audit'));
      expect(found.filter(({ code }) => code === 'route_unmapped').length).toBeGreaterThanOrEqual(2);
      return found;
    }, patiently);
    expect(records.find(({ action }) => action === 'basket.add')).toMatchObject({
      phase: 'decision',
      decision: 'allow',
      actor: { id: 'agent-support-01' },
      subject: { id: user },
    });
    // The record without an actor is of the token without a signature.
    expect(records.filter(({ actor }) => actor === undefined).map(({ code }) => code)).toEqual(['signature_required']);
  });
});
