import { join } from 'node:path';
import type { Agent } from '@countersign/agent';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blocksOf, readPage } from '../docs/blocks.js';
import { auditRecords } from '../support/audit-log.js';
import { patiently } from '../support/patiently.js';
import { AdoptedProgram, delegationOf, sourceOf, supportAgent, user } from './adopted-program.js';
import { applied, changedLines } from './patch.js';

const page = readPage('docs/guides/adopt-login.md');
const diffs = blocksOf(page).filter(({ language }) => language === 'diff');
const frameworks = ['express', 'fastify', 'koa'].map((name, index) => ({ name, index }));

/** A token of the application's own login, like `loginToken` of the example. */
const secret = /'(a secret for this example[^']*)'/.exec(sourceOf('login/accounts.ts'))?.[1] ?? '';
const signedIn = async (): Promise<string> => {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));
  return `Bearer ${token}`;
};

describe('docs/guides/adopt-login.md', () => {
  it.each(frameworks)('shows the difference between the application before and after on $name', ({ name, index }) => {
    const diff = diffs[index]?.code ?? 'no diff';
    expect(applied(diff, sourceOf(`login/${name}/before.ts`))).toBe(sourceOf(`login/${name}/after.ts`));
  });

  it.each(frameworks)('counts the changed lines on $name', ({ name, index }) => {
    const diff = diffs[index]?.code ?? 'no diff';
    const added = diff.split('\n').filter((line) => line.startsWith('+')).length;
    expect(page.text, name).toContain(`${added} lines added, ${changedLines(diff) - added} removed.`);
  });

  it('shows guard.ts unchanged', () => {
    expect(blocksOf(page).map(({ code }) => code)).toContain(sourceOf('login/guard.ts'));
  });
});

describe.each(frameworks)('an application with a login on $name', ({ name }) => {
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
    const authorization = await signedIn();
    for (const program of [before, after]) {
      expect(await program.call({ path })).toMatchObject({ status: 401 });
      expect(await program.call({ method: 'POST', path, body: { item: 'a kettle' }, authorization })).toMatchObject({
        status: 201,
        body: JSON.stringify({ user, items: ['a kettle'] }),
      });
      const renewed = await program.call({ method: 'POST', path: '/renew', authorization });
      expect(renewed).toMatchObject({ status: 200, body: expect.stringContaining('"token":"') });
      expect(await program.call({ method: 'DELETE', path, authorization })).toMatchObject({ status: 204 });
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
