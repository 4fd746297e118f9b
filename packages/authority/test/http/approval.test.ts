import { approvalDetails, approvalType } from '@countersign/approval';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { sql } from '../../src/storage/store.js';
import { decide, needs, requestOf, requirement, startApprovals } from '../support/approvals.js';
import { startAuthority } from '../support/authority.js';
import { assertion, newKey, post } from '../support/client.js';
import { engines } from '../support/stores.js';

async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

describe('the endpoint for approvals', () => {
  it('is named in the metadata, and answers a question with where people decide', async () => {
    const { running, askRaw } = await startApprovals();
    const metadata = await json(await fetch(`${running.issuer}/.well-known/openid-configuration`));
    expect(metadata).toMatchObject({
      approval_endpoint: `${running.issuer}/approval`,
      backchannel_authentication_endpoint: `${running.issuer}/backchannel`,
      backchannel_token_delivery_modes_supported: ['poll'],
      authorization_details_types_supported: ['countersign_approval'],
    });
    const answer = await json(await askRaw([approvalDetails(requestOf())]));
    expect(answer).toEqual({
      approval_id: expect.stringMatching(/^[\w-]{32}$/),
      approval_uri: `${running.issuer}/approvals/${String(answer['approval_id'])}`,
      expires_in: 3600,
      interval: 2,
    });
  });

  it('tells the agent what people decided, as often as it asks', async () => {
    const { running, ask, poll, withdraw } = await startApprovals();
    const [granted, denied, withdrawn] = [await ask(), await ask({ action: 'a.b' }), await ask({ action: 'a.c' })];
    expect(await poll(granted)).toEqual({ status: 'pending', interval: 2 });
    await decide(running, granted, 'approve');
    await decide(running, denied, 'deny', 'Zuerst die Tests ✓');
    expect(await withdraw(withdrawn)).toEqual({ status: 'withdrawn' });
    expect(await poll(denied)).toEqual({ status: 'denied', reason: 'Zuerst die Tests ✓' });
    expect(await poll(withdrawn)).toEqual({ status: 'withdrawn' });
    for (const answer of [await poll(granted), await poll(granted)]) {
      expect(answer['status']).toBe('approved');
      const keys = createRemoteJWKSet(new URL(`${running.issuer}/jwks`));
      const { payload } = await jwtVerify(String(answer['approval']), keys, {
        typ: approvalType,
        issuer: running.issuer,
      });
      expect(payload).toMatchObject({ jti: granted, binding: approvalDetails(requestOf()).binding });
    }
  });

  it('takes only a complete question about the agent itself', async () => {
    const { running, askRaw } = await startApprovals();
    const details = approvalDetails(requestOf());
    const wrong: readonly unknown[] = [
      undefined,
      [],
      [details, details],
      [{ ...details, type: 'other' }],
      [{ ...details, binding: approvalDetails(requestOf({ action: 'other' })).binding }],
      [{ ...details, approved: true }],
      [{ ...details, request: { ...requestOf(), approved: true } }],
      [approvalDetails(requestOf({ actor: { id: 'agent-b' } }))],
      [approvalDetails(requestOf(), { text: 'another body' })],
      [approvalDetails(requestOf(needs(11)))],
      [approvalDetails(requestOf({ requirement: { ...requirement, quorums: [] } }))],
    ];
    for (const each of wrong) {
      const answer = await askRaw(each);
      expect([answer.status, (await json(answer))['error']]).toEqual([400, 'approval_invalid']);
    }
    const list = await running.authority.approvals?.list({ limit: 10 });
    expect(list).toEqual([]);
  });

  it('answers nobody but the agent that asked, and no assertion twice [A10, C11]', async () => {
    const { running, key, ask } = await startApprovals();
    const id = await ask();
    const other = newKey();
    await running.authority.agents.add({ id: 'agent-b', publicKey: other.publicKey });
    const looked = await post(running, '/approval/poll', 'agent-b', other, { approval_id: id });
    expect([looked.status, (await json(looked))['error']]).toEqual([404, 'approval_unknown']);
    expect((await post(running, '/approval/withdraw', 'agent-b', other, { approval_id: id })).status).toBe(404);
    const once = await assertion(running.issuer, 'agent-a', key);
    const uses = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        // At both kinds of endpoints: ours and those of the library.
        index % 2 === 0
          ? post(running, '/approval/poll', 'agent-a', key, { approval_id: id }, { assertion: once })
          : post(running, '/introspect', 'agent-a', key, { token: 'x' }, { assertion: once }),
      ),
    );
    expect(uses.filter(({ status }) => status === 200)).toHaveLength(1);
    const now = Math.floor(Date.now() / 1000);
    const refused: readonly (readonly [string, Parameters<typeof post>[5]])[] = [
      ['agent-a', { claims: { exp: now - 10 } }],
      ['agent-a', { claims: { nbf: now + 60 } }],
      ['agent-a', { claims: { exp: now + 4000 } }],
      ['agent-a', { claims: { aud: 'https://other.example' } }],
      ['agent-a', { claims: { jti: undefined } }],
      ['agent-a', { claims: { sub: 'agent-b' } }],
      ['agent-b', {}],
      ['agent-a', { assertion: 'e30.e30.e30' }],
      ['agent-a', { assertion: '' }],
    ];
    for (const [agent, options] of refused) {
      const answer = await post(running, '/approval/poll', agent, key, { approval_id: id }, options);
      expect([answer.status, (await json(answer))['error']]).toEqual([401, 'invalid_client']);
    }
    await running.authority.agents.setStatus('agent-a', 'suspended');
    expect((await post(running, '/approval/poll', 'agent-a', key, { approval_id: id })).status).toBe(401);
  });

  it('refuses other forms of requests without a trace of an error of ours', async () => {
    const { running } = await startApprovals();
    const url = `${running.issuer}/approval`;
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(415);
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(`${url}/other`, { method: 'POST' })).status).toBe(404);
    const twice = new URLSearchParams([
      ['client_id', 'a'],
      ['client_id', 'b'],
    ]);
    expect((await fetch(url, { method: 'POST', body: twice })).status).toBe(400);
    const long = new URLSearchParams({ authorization_details: 'x'.repeat(1_100_000) });
    expect((await fetch(url, { method: 'POST', body: long })).status).toBe(413);
  });

  it.each(engines)('stores a question of CIBA once, however often it comes, in $name', async ({ skip, open }) => {
    if (skip) return;
    const { running, key } = await startApprovals({}, { store: await open() });
    const question = {
      scope: 'openid',
      login_hint: 'x'.repeat(1000),
      authorization_details: JSON.stringify([approvalDetails(requestOf())]),
    };
    const ids: unknown[] = [];
    for (let count = 0; count < 3; count++) {
      ids.push((await json(await post(running, '/backchannel', 'agent-a', key, question)))['auth_req_id']);
    }
    expect(ids).toEqual(Array.from({ length: 3 }, () => ids[0]));
    expect(ids[0]).toMatch(/^[\w-]{32}$/);
    expect(await running.store.run(sql`SELECT model, id FROM countersign_models`)).toEqual([]);
  });

  it('does not exist without approvals', async () => {
    const running = await startAuthority();
    expect((await fetch(`${running.issuer}/approval`, { method: 'POST' })).status).toBe(404);
    const metadata = await json(await fetch(`${running.issuer}/.well-known/openid-configuration`));
    expect(metadata['approval_endpoint']).toBeUndefined();
    expect(metadata['backchannel_authentication_endpoint']).toBeUndefined();
  });
});
