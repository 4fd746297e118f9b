import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditFile, cedarFromDirectory } from '@countersign/core';
import { computeContentDigest } from '@countersign/signature';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { decide, needs, requestOf, requirement, startApprovals } from '../../../../authority/test/support/approvals.js';
import { adminToken } from '../../../../authority/test/support/authority.js';
import { runCli } from '../../run-cli.js';
import { decision, temporaryFolder, writeLog } from '../audit/write-log.js';
import { patiently } from '../../../../../test/support/patiently.js';

beforeEach(() => {
  vi.stubEnv('COUNTERSIGN_ADMIN_TOKEN', adminToken);
});

/** A folder of policies below this one, as the command wants it. */
function folderHere(policies: string): string {
  const path = mkdtempSync('node_modules/.approvals-');
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, 'policies.cedar'), policies);
  return path;
}

async function world(
  options: Parameters<typeof startApprovals>[0] = {},
  more: Parameters<typeof startApprovals>[1] = {},
) {
  const approvals = await startApprovals(options, { onTrouble: () => {}, ...more });
  const { issuer } = approvals.running;
  return {
    ...approvals,
    issuer,
    cli: async (...args: readonly string[]) => await runCli(['approvals', ...args, '--authority', issuer]),
    /** For the API that `merge` asks at. */
    suggest: async (...args: readonly string[]) =>
      await runCli(['approvals', 'suggest', '--authority', issuer, '--audience', 'https://api.acme.dev', ...args]),
    /** Asks for the merge of a pull request, and decides. */
    merge: async (
      number: number,
      verdict: 'approve' | 'deny' = 'approve',
      change: Parameters<typeof requestOf>[0] = {},
    ) => {
      const http = { method: 'POST', authority: 'api.acme.dev', path: `/pulls/${number}/merge` };
      const id = await approvals.ask({ http, ...change });
      await decide(approvals.running, id, verdict);
      return id;
    },
  };
}

describe('countersign approvals', () => {
  it('lists what waits, shows all of one, and denies it with a reason', async () => {
    const { cli, ask, poll } = await world();
    const id = await ask(needs(2), { why: 'All green' });
    const listed = await cli('list');
    expect(listed.out).toMatch(
      /^\S{32} {2}pending {2}agent-a {2}pr\.merge {2}Repo::"acme\/api" {2}2 of release-managers\n$/,
    );
    expect(JSON.parse((await cli('show', id)).out)).toMatchObject({ id, shown: { why: 'All green' } });
    expect((await cli('list', '--json')).out).not.toContain('All green');
    expect((await cli('deny', id, '--reason', 'Freeze')).out).toBe('denied\n');
    expect(await poll(id)).toEqual({ status: 'denied', reason: 'Freeze' });
    expect((await cli('list')).err).toBe('No requests.\n');
    expect((await cli('list', '--status', 'ended', '--agent', 'agent-a')).out).toContain('denied');
    const again = await cli('deny', id);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('it is denied already')]);
    expect((await cli('show', '../agents')).code).toBe(2);
    expect((await cli('list', '--status', 'other')).code).toBe(1);
  });

  it.each([
    ['application/json', '{"to":"alice"}', { format: 'json' }, ''],
    ['application/x-www-form-urlencoded', 'to=%6dallory', { format: 'form', pairs: [['to', 'mallory']] }, ''],
    [
      'application/json; charset=utf-7',
      '{"to":"alice"}',
      { format: 'unknown', problem: expect.any(String) },
      'It is not known how the API reads the body: its Content-Type names another charset than utf-8.\n',
    ],
    ['application/json', undefined, { format: 'hidden' }, 'The agent does not show the body.\n'],
    ['application/json', Buffer.from([255]), { format: 'bytes' }, 'The body is not text: nobody can read it here.\n'],
  ])('shows how the API reads a body of the type %s, or that nobody knows [C13]', async (type, body, read, alarm) => {
    const { cli, ask } = await world();
    const contentDigest = computeContentDigest(Buffer.from(body ?? ''));
    const http = { ...requestOf().http!, fields: { 'content-type': type }, contentDigest };
    const shown = body === undefined ? {} : typeof body === 'string' ? { text: body } : { base64: '/w==' };
    const { out, err } = await cli('show', await ask({ http }, shown));
    expect([JSON.parse(out).body, err]).toEqual([read, alarm]);
  });

  it('counts one decision and one emergency as one', async () => {
    const { cli, ask, running } = await world({ breakGlass: ['user:eve'] });
    const id = await ask();
    const { binding = '' } = (await running.authority.approvals?.find(id)) ?? {};
    const eve = { subject: 'user:eve', name: 'Eve', groups: [] };
    await running.authority.approvals?.decide(eve, { id, binding, verdict: 'break_glass', reason: 'Site is down' });
    const { out } = await cli('statistics');
    expect(out).toContain('0 waiting, 1 emergency\n');
    expect(out).toMatch(/user:eve {2}1 decision {2}100 % approved/);
  });

  it('says how each person decides', async () => {
    const { cli, merge, ask } = await world();
    for (const number of [1, 2, 3]) await merge(number);
    await merge(4, 'deny');
    await ask({ action: 'pr.close' });
    const { out } = await cli('statistics', '--days', '7');
    expect(out).toContain('5 asked, 3 approved, 1 denied, 0 expired, 0 withdrawn, 1 waiting, 0 emergencies\n');
    expect(out).toMatch(
      /user:rita {2}4 decisions {2}75 % approved {2}half within \d seconds? +for 1 of release-managers, decided within 3600 s/,
    );
    expect((await cli('statistics', '--days', '91')).code).toBe(2);
  });

  it('suggests a policy for what is always approved, which applies as a diff and expires', async () => {
    const { suggest, merge } = await world();
    const path = folderHere(`
      @id("merge") @approval("release-managers") @approval_decide_within("1h") permit (principal, action == Action::"pr.merge", resource)
        when { context.scope.contains("pr:merge") };
      @id("web") @approval("security") permit (principal, action, resource in Org::"web");
      @id("close") @approval("release-managers") @approval_decide_within("1h") permit (principal, action == Action::"pr.close", resource);`);
    const close = { action: 'pr.close', policies: ['policies.cedar#close'] };
    for (const number of [1, 2, 3]) await merge(number);
    for (const number of [1, 2, 3]) await merge(number, 'approve', close);
    await merge(4, 'deny', close);
    for (const number of [1, 2, 3]) await merge(number, 'approve', { resource: { type: 'Repo', id: 'x"); permit' } });
    expect((await suggest()).err).toContain('Nothing was approved 10 times');
    const { out, err } = await suggest('--least', '3', '--days', '30', '--policies', path);
    expect(err).toBe('');
    expect(out.match(/^diff /gm)).toHaveLength(2);
    expect(out).not.toContain('pr.close');
    expect(out).toContain('+// People are still asked where policies.cedar#web asks, too.');
    execFileSync('git', ['init', '--quiet', path]);
    execFileSync('git', ['apply', `-p${path.split('/').length + 1}`, '-'], { cwd: path, input: out });
    rmSync(join(path, '.git'), { recursive: true });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-12-23T23:59:59Z') });
    onTestFinished(() => void vi.useRealTimers());
    const engine = await cedarFromDirectory(path, { watch: false });
    const query = (id: string, user = 'user:alice', scope = ['pr:merge'], parents: string[] = []) => {
      const { decision, approval } = engine.decide({
        principal: { id: 'agent-a', roles: [], capabilities: [] },
        action: 'pr.merge',
        resource: { type: 'Repo', id, parents: parents.map((parent) => ({ type: 'Org', id: parent })) },
        context: {
          scope,
          onBehalfOf: user,
          depth: 2,
          via: [],
          proof: 'issuer',
          possession: 'signature',
          request: { method: 'POST', path: '/' },
        },
      });
      return approval === undefined ? decision : 'ask';
    };
    expect(query('acme/api')).toBe('allow');
    expect(query('x"); permit')).toBe('allow');
    expect(query('acme/web')).toBe('ask');
    expect(query('acme/api', 'user:bob')).toBe('ask');
    expect(query('acme/api', 'user:alice', [])).toBe('deny');
    expect(query('acme/api', 'user:alice', ['repo:read'])).toBe('deny');
    expect(query('acme/api', 'user:alice', ['pr:merge'], ['web'])).toBe('ask');
    vi.setSystemTime(Date.parse('2026-12-24T00:00:00Z'));
    expect(query('acme/api')).toBe('ask');
  });

  it('suggests nothing if the permits that asked are not in the folder [C11]', async () => {
    const { suggest, merge } = await world();
    for (const number of [1, 2, 3]) await merge(number);
    const path = folderHere('@id("merge") permit (principal, action, resource);');
    const { code, out, err } = await suggest('--least', '3', '--policies', path);
    expect([code, out, err]).toEqual([
      0,
      '',
      "Not suggested: pr.merge of agent-a, since no permit 'policies.cedar#merge' asks for approval.\n",
    ]);
    const missing = await suggest('--least', '3', '--policies', 'no-such-folder');
    expect([missing.code, missing.out]).toEqual([1, '']);
  });

  it('suggests nothing from approvals by other people than the permits ask [C11]', async () => {
    const { suggest, merge } = await world();
    for (const number of [1, 2, 3]) await merge(number);
    const path = folderHere(
      '@id("merge") @approval("release-managers") @approval_count("2") @approval_decide_within("1h") permit (principal, action, resource);',
    );
    const { code, out, err } = await suggest('--least', '3', '--policies', path);
    expect([code, out, err]).toEqual([
      0,
      '',
      'Not suggested: pr.merge of agent-a, since approvals by 1 of release-managers, decided within 3600 s, used within 600 s count for nothing; required by policies.cedar#merge: 2 of release-managers, decided within 3600 s, used within 600 s.\n',
    ]);
  });

  it('suggests nothing from approvals of another API with the same policies [C11]', async () => {
    const { cli, suggest, merge } = await world();
    for (const number of [1, 2, 3]) await merge(number, 'approve', { audience: 'https://other.acme.dev' });
    const path = folderHere(
      '@id("merge") @approval("release-managers") @approval_decide_within("1h") permit (principal, action, resource);',
    );
    const args = ['--least', '3', '--policies', path];
    const { code, out, err } = await suggest(...args);
    expect([code, out, err]).toEqual([
      0,
      '',
      'Nothing was approved 3 times at https://api.acme.dev, by the same agent for the same user. It was at https://other.acme.dev.\n',
    ]);
    expect((await suggest(...args, '--audience', 'https://other.acme.dev')).out).toContain(
      '+// At https://other.acme.dev, people approved this 3 times',
    );
    const unnamed = await cli('suggest', ...args);
    expect([unnamed.code, unnamed.out]).toEqual([2, '']);
    expect(unnamed.err).toContain("'--audience <audience>' not specified");
  });

  it('suggests nothing from approvals of people whom policy does not ask [C11]', async () => {
    const { cli, suggest, ask, running } = await world();
    const path = folderHere(
      '@id("merge") @approval("release-managers") @approval_count("2") @approval_decide_within("1h") permit (principal, action, resource);',
    );
    // An agent says itself what policy demands: here, that one of the staff is enough.
    const staff = { ...requirement, quorums: [{ groups: ['staff'], count: 1 }] };
    const alice = { subject: 'user:alice', name: 'Alice', groups: ['staff'] };
    for (const number of [1, 2, 3]) {
      const http = { method: 'POST', authority: 'api.acme.dev', path: `/pulls/${number}/merge` };
      const id = await ask({ http, requirement: staff });
      const { binding = '' } = (await running.authority.approvals?.find(id)) ?? {};
      await running.authority.approvals?.decide(alice, { id, binding, verdict: 'approve' });
    }
    const { code, out, err } = await suggest('--least', '3', '--policies', path);
    expect([code, out, err]).toEqual([
      0,
      '',
      'Not suggested: pr.merge of agent-a, since approvals by 1 of staff, decided within 3600 s, used within 600 s count for nothing; required by policies.cedar#merge: 2 of release-managers, decided within 3600 s, used within 600 s.\n',
    ]);
    expect((await cli('statistics')).out).toMatch(/user:alice {2}3 decisions .*for 1 of staff, decided within 3600 s/);
  });

  it('lists emergencies, and fails while one waits for a review', async () => {
    const { cli, ask, running } = await world({ breakGlass: ['user:eve'] });
    expect((await cli('break-glass', '--open')).err).toBe('Nothing to review.\n');
    const id = await ask();
    const { binding = '' } = (await running.authority.approvals?.find(id)) ?? {};
    const eve = { subject: 'user:eve', name: 'Eve', groups: [] };
    await running.authority.approvals?.decide(eve, { id, binding, verdict: 'break_glass', reason: 'Site is down' });
    const open = await cli('break-glass', '--open');
    expect(open.code).toBe(3);
    expect(open.out).toMatch(/agent-a pr\.merge\n {2}approved by user:eve .*: Site is down\n {2}not reviewed/);
    await running.authority.approvals?.review(id, { subject: 'user:rita', name: 'Rita', groups: ['release-managers'] });
    expect((await cli('break-glass', '--open')).code).toBe(0);
    expect((await cli('break-glass')).out).toContain('reviewed by user:rita');
  });

  it('and the logs of authority and guard together show who asked, decided and used [C11]', async () => {
    const logs = temporaryFolder();
    // After the authority is closed, which writes its last checkpoint.
    onTestFinished(() => logs[Symbol.dispose]());
    const { ask, running } = await world({}, { audit: auditFile(logs.file('authority')) });
    const id = await ask();
    const { binding = '' } = (await running.authority.approvals?.find(id)) ?? {};
    await decide(running, id, 'approve', 'read it');
    const approvers = [{ id: 'user:rita', groups: ['release-managers'], decidedAt: 1 }];
    const time = '2027-01-01T00:00:00.000Z';
    const approval = { binding, id, issuer: running.issuer, approvers };
    await writeLog(logs.file('api'), [decision(1), decision(2, { time, action: 'pr.merge', approval })]);
    const query = async () => await runCli(['audit', 'query', logs.path, '--approval', id]);
    await vi.waitFor(async () => expect((await query()).out).toContain('approval.approved'), patiently);
    const { code, out } = await query();
    expect(code).toBe(0);
    const rows = out.split('\n').filter((line) => line.includes('pr.merge'));
    expect(rows).toEqual([
      expect.stringMatching(
        /approval\.asked +agent-a, it says for user:alice +pr\.merge Repo::"acme\/api" +by agent-a/,
      ),
      expect.stringMatching(/approval\.approved +agent-a, it says for user:alice .*by user:rita.*read it/),
      expect.stringMatching(/allow approved .*approved by user:rita/),
    ]);
    expect((await runCli(['audit', 'query', logs.path, '--approval', binding])).out).toBe(out);
    expect((await runCli(['audit', 'query', logs.path, '--phase', 'authority'])).out).toContain('agent.registered');
    expect((await runCli(['audit', 'verify', logs.path])).out.match(/The log is whole/g)).toHaveLength(2);
  });

  it('lists messages that were given up, and sends them again', async () => {
    const { cli, ask, running } = await world({
      channels: [{ type: 'webhook', name: 'app', url: 'http://127.0.0.1:1/' }],
    });
    expect((await cli('dead-letters')).err).toBe('None.\n');
    await ask();
    const run = async (text: string) => await running.store.run({ text, values: [] });
    const tried = async () => (await run('SELECT problem FROM countersign_notifications'))[0]?.['problem'];
    await vi.waitFor(async () => expect(await tried()).toMatch(/does not answer/), patiently);
    await run('UPDATE countersign_notifications SET next_at = NULL');
    expect((await cli('dead-letters')).out).toMatch(/app {2}asked {2}it does not answer/);
    expect((await cli('dead-letters', '--retry')).err).toBe('1 to send again.\n');
    expect((await cli('dead-letters')).err).toBe('None.\n');
  });

  it('needs the token of an administrator', async () => {
    const { cli } = await world();
    vi.stubEnv('COUNTERSIGN_ADMIN_TOKEN', 'another-token-of-somebody-else-0123456789');
    expect((await cli('list')).err).toContain('does not accept the token');
  });
});
