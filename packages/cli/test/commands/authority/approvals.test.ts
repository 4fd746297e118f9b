import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cedarFromDirectory } from '@countersign/core';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { decide, needs, type requestOf, startApprovals } from '../../../../authority/test/support/approvals.js';
import { adminToken } from '../../../../authority/test/support/authority.js';
import { runCli } from '../../run-cli.js';
import { patiently } from '../../../../../test/support/patiently.js';

beforeEach(() => {
  vi.stubEnv('COUNTERSIGN_ADMIN_TOKEN', adminToken);
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'countersign-approvals-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function world(options: Parameters<typeof startApprovals>[0] = {}) {
  const approvals = await startApprovals(options, { onTrouble: () => {} });
  const { issuer } = approvals.running;
  return {
    ...approvals,
    issuer,
    cli: async (...args: readonly string[]) => await runCli(['approvals', ...args, '--authority', issuer]),
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

  it('says how each person decides', async () => {
    const { cli, merge, ask } = await world();
    for (const number of [1, 2, 3]) await merge(number);
    await merge(4, 'deny');
    await ask({ action: 'pr.close' });
    const { out } = await cli('statistics', '--days', '7');
    expect(out).toContain('5 asked, 3 approved, 1 denied, 0 expired, 0 withdrawn, 1 waiting, 0 emergencies\n');
    expect(out).toMatch(/user:rita {2}4 decisions {2}75 % approved {2}half within \d seconds?/);
    expect((await cli('statistics', '--days', '91')).code).toBe(2);
  });

  it('suggests a policy for what is always approved, which applies as a diff and expires', async () => {
    const { cli, merge } = await world();
    for (const number of [1, 2, 3]) await merge(number);
    for (const number of [1, 2, 3]) await merge(number, 'approve', { action: 'pr.close' });
    await merge(4, 'deny', { action: 'pr.close' });
    for (const number of [1, 2, 3]) await merge(number, 'approve', { resource: { type: 'Repo', id: 'x"); permit' } });
    expect((await cli('suggest')).err).toContain('Nothing was approved 10 times');
    const { out } = await cli('suggest', '--least', '3', '--days', '30');
    expect(out.match(/^diff /gm)).toHaveLength(2);
    expect(out).not.toContain('pr.close');
    const path = folder();
    execFileSync('git', ['init', '--quiet', path]);
    execFileSync('git', ['apply', '-'], { cwd: path, input: out });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-12-23T23:59:59Z') });
    onTestFinished(() => void vi.useRealTimers());
    const engine = await cedarFromDirectory(join(path, 'policies'), { watch: false });
    const query = (id: string, user = 'user:alice') =>
      engine.decide({
        principal: { id: 'agent-a', roles: [], capabilities: [] },
        action: 'pr.merge',
        resource: { type: 'Repo', id },
        context: {
          scope: [],
          onBehalfOf: user,
          depth: 1,
          via: [],
          proof: 'issuer',
          possession: 'signature',
          request: { method: 'POST', path: '/' },
        },
      }).decision;
    expect([query('acme/api'), query('x"); permit'), query('acme/web'), query('acme/api', 'user:bob')]).toEqual([
      'allow',
      'allow',
      'deny',
      'deny',
    ]);
    vi.setSystemTime(Date.parse('2026-12-24T00:00:00Z'));
    expect(query('acme/api')).toBe('deny');
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
