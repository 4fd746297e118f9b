import { approvalDetails } from '@countersign/approval';
import { describe, expect, it } from 'vitest';
import { requestOf, startApprovals } from '../support/approvals.js';
import { post } from '../support/client.js';
import { open as openPage, submit, ticketOf } from '../support/pages.js';
import { engines } from '../support/stores.js';

const names = [
  '\0',
  'a\0b',
  '\ud800',
  '__proto__',
  "'; DROP TABLE countersign_approvals; --",
  '%',
  'x'.repeat(20_000),
  '😀',
  '',
];

it('a form of very many parameters of a stranger costs about as much as its bytes [I2]', async () => {
  const { running } = await startApprovals();
  const body = Array.from({ length: 100_000 }, (_, index) => index.toString(36)).join('&');
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  // A minute and more, if each name is searched for in all of them.
  expect((await fetch(`${running.issuer}/approval`, { method: 'POST', headers, body })).status).toBe(401);
});

describe.each(engines)('nobody can cause a failure of approvals, on $name', ({ skip, open }) => {
  it.skipIf(skip)('with names of every kind [C11]', async () => {
    const failures: string[] = [];
    const world = await startApprovals(
      { breakGlass: ['user:eve'] },
      { store: await open(), onTrouble: (message) => void failures.push(message) },
    );
    const { running, key, askRaw } = world;
    const { issuer, admin } = running;
    const statuses = new Set<number>();
    const send = async (answer: Promise<Response>) => void statuses.add((await answer).status);
    const asked = await world.ask();
    const url = `${issuer}/approvals/${asked}`;
    for (const name of names) {
      const encoded = encodeURIComponent(Buffer.from(name).toString());
      const forms: readonly Readonly<Record<string, string>>[] = [
        { approval_id: name },
        { authorization_details: name },
        { authorization_details: JSON.stringify([name]) },
      ];
      for (const form of forms) {
        for (const path of ['/approval', '/approval/poll', '/approval/withdraw']) {
          await send(post(running, path, 'agent-a', key, form));
        }
      }
      for (const change of [
        { action: name, resource: { type: name, id: name } },
        { subject: { id: name, type: 'user' as const } },
        { policies: [name], policySet: name },
        { requirement: { ...requestOf().requirement, quorums: [{ groups: [name], count: 1 }] } },
      ]) {
        await send(askRaw([approvalDetails(requestOf(change), { why: name, text: name })]));
        await send(askRaw([approvalDetails(requestOf(change))]));
      }
      const backchannel = { scope: 'openid', login_hint: name || 'x', binding_message: name };
      const details = { authorization_details: JSON.stringify([approvalDetails(requestOf({ action: `a${name}` }))]) };
      await send(post(running, '/backchannel', 'agent-a', key, { ...backchannel, authorization_details: name }));
      await send(post(running, '/backchannel', 'agent-a', key, { ...backchannel, ...details, resource: name }));
      const grant = 'urn:openid:params:grant-type:ciba';
      await send(post(running, '/token', 'agent-a', key, { grant_type: grant, auth_req_id: name }));
      await send(post(running, '/revoke', 'agent-a', key, { token: name }));
      await send(openPage(`${issuer}/approvals/${encoded}`, 'user:rita'));
      const ticket = ticketOf(await (await openPage(url, 'user:rita')).text());
      await send(submit(url, 'user:rita', { ticket, decision: name, reason: name }));
      await send(submit(url, 'user:rita', { ticket: name, decision: 'approve', reason: name }));
      await send(submit(`${issuer}/approvals/${encoded}`, 'user:rita', { ticket, decision: 'approve' }));
      await send(admin('GET', `/approvals?agent=${encoded}&status=${encoded}`));
      await send(admin('GET', `/approvals?agent=${encoded}`));
      await send(admin('GET', `/approvals/${encoded}`));
      await send(admin('POST', `/approvals/${encoded}/denial`, { reason: name }));
      await send(admin('GET', `/approvals/statistics?days=${encoded}`));
      await send(admin('GET', `/approvals/suggestions?least=${encoded}`));
    }
    // A reason of every kind is kept as it is, and reaches the agent.
    const reason = 'a\0b \u202e 😀';
    const ticket = ticketOf(await (await openPage(url, 'user:rita')).text());
    expect((await submit(url, 'user:rita', { ticket, decision: 'deny', reason })).status).toBe(303);
    expect(await world.poll(asked)).toEqual({ status: 'denied', reason });
    expect((await openPage(`${issuer}/approvals/history`, 'user:rita')).status).toBe(200);
    expect([...statuses].filter((status) => status >= 500)).toEqual([]);
    expect(failures).toEqual([]);
  });
});
