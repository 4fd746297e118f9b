import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent, Signer } from '@countersign/agent';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blocksOf, readPage } from '../docs/blocks.js';
import { auditRecords } from '../support/audit-log.js';
import { patiently } from '../support/patiently.js';
import { AdoptedProgram as Program, delegationOf, sourceOf, supportAgent, user } from './adopted-program.js';
import { applied, changedLines } from './patch.js';

const page = readPage('docs/guides/adopt.md');
const diffs = blocksOf(page).filter(({ language }) => language === 'diff');
const frameworks = ['express5', 'fastify', 'koa', 'node-http', 'express4'].map((name) => ({ name }));

/** The diff of a framework; that of Express 5 holds for Express 4, which is installed under another name here. */
function diffOf(name: string): string {
  if (name === 'express4') return diffOf('express5').replaceAll("from 'express'", "from 'express4'");
  return diffs[frameworks.findIndex((framework) => framework.name === name)]?.code ?? 'no diff';
}

describe.each(frameworks)('docs/guides/adopt.md on $name', ({ name }) => {
  const diff = diffOf(name);

  it('shows the exact difference between the application before and after', () => {
    expect(applied(diff, sourceOf(`${name}/before.ts`))).toBe(sourceOf(`${name}/after.ts`));
  });

  it('states the number of changed lines', () => {
    const added = diff.split('\n').filter((line) => line.startsWith('+')).length;
    const replaced = changedLines(diff) - added;
    const said = replaced === 0 ? `${added} lines added` : `${added - replaced} lines added, ${replaced} changed`;
    expect(
      page.text
        .slice(0, page.text.indexOf(diffOf(name === 'express4' ? 'express5' : name)))
        .split('## ')
        .at(-1),
    ).toContain(said);
  });
});

it('docs/guides/adopt.md shows one diff for each framework, and the new file unchanged', () => {
  expect(diffs).toHaveLength(frameworks.length - 1);
  expect(blocksOf(page).map(({ code }) => code)).toContain(sourceOf('guard.ts'));
});

describe('a diff that does not apply is detected', () => {
  it.each([
    ['a removed line that is not there', '@@ -1,1 +1,1 @@\n-x\n+b'],
    ['context that is elsewhere', '@@ -2,1 +2,2 @@\n a\n+b'],
  ])('%s', (_, diff) => {
    expect(() => applied(diff, 'a\nc\n')).toThrow('the diff says');
  });
});

describe.each(frameworks)('the orders API on $name', ({ name }) => {
  const path = '/orders/1001';
  let before: Program;
  let after: Program;
  let agent: Agent;
  beforeAll(async () => {
    agent = await supportAgent();
    before = await Program.start(`${name}/before.js`);
    after = await Program.start(`${name}/after.js`);
  });
  afterAll(async () => {
    await before?.stop();
    await after?.stop();
  });

  /** The agent, with a token for this scope from the user. */
  async function forUser(scope: string): Promise<Signer> {
    return agent.withToken(await delegationOf(scope));
  }

  it('before: answers everybody, and records nothing', async () => {
    expect(await before.call({ path })).toMatchObject({ status: 200 });
    const answer = await before.call({ method: 'POST', path: `${path}/notes`, body: { text: 'call back' } });
    expect(answer).toMatchObject({ status: 201, body: expect.stringContaining('"notes":["call back"]') });
    expect(await before.call({ path: '/orders/9' })).toMatchObject({ status: 404, body: '{"error":"no such order"}' });
    expect(existsSync(join(before.folder, 'audit'))).toBe(false);
  });

  it('after: refuses an unsigned request, and answers the health check as before', async () => {
    for (const call of [{ path }, { method: 'POST', path: `${path}/notes`, body: { text: 'x' } }]) {
      const { status, body } = await after.call(call);
      expect(status).toBe(401);
      expect(JSON.parse(body)).toMatchObject({ code: 'signature_required' });
    }
    for (const program of [before, after]) {
      expect(await program.call({ path: '/health' })).toMatchObject({ status: 200, body: 'well' });
    }
  });

  it('after: serves an agent for its user, with the body parser and error handler as before', async () => {
    const as = await forUser('orders:read orders:write');
    const answer = await after.call({ method: 'POST', path: `${path}/notes`, body: { text: 'call back' }, as });
    expect(answer).toMatchObject({ status: 201, body: expect.stringContaining('"notes":["call back"]') });
    expect(await after.call({ path, as })).toMatchObject({ status: 200, body: answer.body });
    expect(await after.call({ path: '/orders/9', as })).toMatchObject({
      status: 404,
      body: '{"error":"no such order"}',
    });
  });

  it('after: denies a request that policy does not permit', async () => {
    const as = await forUser('orders:read');
    const { status, body } = await after.call({
      method: 'POST',
      path: `${path}/notes`,
      body: { text: 'not allowed' },
      as,
    });
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ code: 'policy_denied' });
    expect((await after.call({ path, as })).body).not.toContain('not allowed');
  });

  it('after: the log names actor, subject and action', async () => {
    const log = join(after.folder, 'audit');
    const records = await vi.waitFor(() => {
      const found = auditRecords(log);
      expect(found.filter(({ phase }) => phase === 'outcome')).toHaveLength(4);
      return found;
    }, patiently);
    const known = { actor: { id: 'agent-support-01' }, subject: { id: user } };
    const permitted = { ...known, phase: 'decision', decision: 'allow' };
    const resource = { type: 'Order', id: '1001' };
    expect(records.filter(({ phase }) => phase !== 'outcome')).toMatchObject([
      { phase: 'authentication', code: 'signature_required' },
      { phase: 'authentication', code: 'signature_required' },
      { ...permitted, action: 'order.annotate', resource, policies: ['orders.cedar#agents-annotate-for-people'] },
      { ...permitted, action: 'order.read', resource },
      { ...permitted, action: 'order.read', resource: { type: 'Order', id: '9' } },
      { ...known, phase: 'decision', decision: 'deny', code: 'policy_denied', action: 'order.annotate', resource },
      { ...permitted, action: 'order.read', resource },
    ]);
  });
});
