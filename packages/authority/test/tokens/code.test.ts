import { describe, expect, it } from 'vitest';
import { api, startAuthority } from '../support/authority.js';
import { claimsOf, newKey, post, type TokenAnswer } from '../support/client.js';
import {
  asShown,
  authorizeUrl,
  type CodeAnswer,
  consent,
  newPkce,
  open,
  redeem,
  startPages,
} from '../support/pages.js';
import { engines } from '../support/stores.js';

async function refusal(response: Response): Promise<readonly [number, string | undefined]> {
  return [response.status, ((await response.json()) as TokenAnswer).error];
}

const choose = (changes: Readonly<Record<string, string>>) =>
  asShown.map(([name, value]) => [name, changes[name] ?? value] as const);

describe('authorization_code', () => {
  it('gives a delegated token of what the user consented to, bound to the key of the agent', async () => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const details = [{ type: 'Invoice', identifier: '4711', actions: ['invoice.read'] }];
    const code = await consent(running, 'user:alice', pkce, asShown, {
      authorization_details: JSON.stringify(details),
    });
    const response = await redeem(running, key, code, pkce);
    expect(response.status).toBe(200);
    const token = (await response.json()) as CodeAnswer;
    expect(token).toMatchObject({ expires_in: 300, authorization_details: details, token_type: 'Bearer' });
    expect(claimsOf(token.access_token)).toMatchObject({
      sub: 'user:alice',
      act: { sub: 'agent-a' },
      aud: api,
      scope: 'invoice:read pr:write:draft',
      cnf: { jwk: key.jwk },
      authorization_details: details,
      max_hops: 0,
      status: { status_list: { uri: `${running.issuer}/status/0` } },
    });
  });

  it('lets the token outlive neither the consent nor the capabilities of the agent [C6]', async () => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const code = await consent(running, 'user:alice', pkce, choose({ seconds: '20' }), { requested_expiry: '20' });
    await running.authority.agents.update('agent-a', { capabilities: ['invoice:read'] });
    const token = (await (await redeem(running, key, code, pkce)).json()) as CodeAnswer;
    expect(token.expires_in).toBeLessThanOrEqual(20);
    expect(token.scope).toBe('invoice:read');
  });

  it.each([
    ['with another verifier', () => ({ code_verifier: newPkce().verifier })],
    ['without a verifier', () => ({ code_verifier: '' })],
    ['with a short verifier', () => ({ code_verifier: 'plain' })],
    ['with another redirect_uri', () => ({ redirect_uri: 'https://agent.acme.dev/callback' })],
    ['of nobody', () => ({ code: 'AAAA' })],
    ['that was changed', (code: string) => ({ code: `${code.slice(0, -3)}AAA` })],
  ])('refuses a code %s, and leaves it usable [O4]', async (_, changes) => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const code = await consent(running, 'user:alice', pkce);
    expect(await refusal(await redeem(running, key, code, pkce, changes(code)))).toEqual([400, 'invalid_grant']);
    expect((await redeem(running, key, code, pkce)).status).toBe(200);
  });

  it('refuses the code and the refresh token of another agent [O4]', async () => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const code = await consent(running, 'user:alice', pkce);
    const other = newKey();
    await running.authority.agents.add({
      id: 'agent-b',
      publicKey: other.publicKey,
      capabilities: ['invoice:read'],
      redirectUris: ['https://b.acme.dev/'],
    });
    const parameters = { grant_type: 'authorization_code', code, code_verifier: pkce.verifier };
    const stolen = await post(running, '/token', 'agent-b', other, {
      ...parameters,
      redirect_uri: 'https://b.acme.dev/',
    });
    expect(await refusal(stolen)).toEqual([400, 'invalid_grant']);
    const { refresh_token = '' } = (await (await redeem(running, key, code, pkce)).json()) as CodeAnswer;
    const refreshed = await post(running, '/token', 'agent-b', other, { grant_type: 'refresh_token', refresh_token });
    expect(await refusal(refreshed)).toEqual([400, 'invalid_grant']);
  });

  it('refuses another API than the user consented to [B5]', async () => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const code = await consent(running, 'user:alice', pkce);
    const elsewhere = await redeem(running, key, code, pkce, { resource: 'https://other.acme.dev' });
    expect(await refusal(elsewhere)).toEqual([400, 'invalid_target']);
  });

  it('refuses a code when the agent was suspended, or the user has ended it [C7]', async () => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const code = await consent(running, 'user:alice', pkce);
    await running.authority.agents.setStatus('agent-a', 'suspended');
    expect((await redeem(running, key, code, pkce)).status).toBe(401);
    await running.authority.agents.setStatus('agent-a', 'active');
    await running.authority.delegations.revoke({ subject: 'user:alice' });
    expect(await refusal(await redeem(running, key, code, pkce))).toEqual([400, 'invalid_grant']);
  });

  it('does not exist for an authority without users', async () => {
    const running = await startAuthority();
    expect((await fetch(`${running.issuer}/authorize?client_id=agent-a`)).status).toBe(404);
    expect((await fetch(`${running.issuer}/authorize/resumed`)).status).toBe(404);
    expect((await fetch(`${running.issuer}/delegations`)).status).toBe(404);
    const metadata = await (await fetch(`${running.issuer}/.well-known/oauth-authorization-server`)).json();
    expect(metadata).not.toHaveProperty('authorization_endpoint');
  });

  it.each(engines)('gives one token for 50 uses of one code at once, on $name [O4]', async ({ skip, open }) => {
    if (skip) return;
    const { running, key } = await startPages({ store: await open() });
    const pkce = newPkce();
    const code = await consent(running, 'user:alice', pkce);
    const answers = await Promise.all(Array.from({ length: 50 }, () => redeem(running, key, code, pkce)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(49);
    // The losers took nothing: the token of the winner is in force.
    const [{ access_token: token } = { access_token: '' }] = await Promise.all(
      won.map(async (answer) => (await answer.json()) as CodeAnswer),
    );
    expect(await (await post(running, '/introspect', 'agent-a', key, { token })).json()).toMatchObject({
      active: true,
    });
  });
});

async function granted(uses = '', changes: Readonly<Record<string, string>> = {}, options = {}) {
  const { running, key } = await startPages(options);
  const pkce = newPkce();
  const code = await consent(running, 'user:alice', pkce, choose({ uses }), changes);
  const first = (await (await redeem(running, key, code, pkce)).json()) as CodeAnswer;
  const refresh = async (parameters = {}) =>
    await post(running, '/token', 'agent-a', key, {
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token ?? '',
      ...parameters,
    });
  return { running, key, first, refresh };
}

describe('refresh_token', () => {
  it('gives further tokens, also narrower ones, as long as the consent is in force', async () => {
    const { running, first, refresh } = await granted();
    const second = (await (await refresh({ scope: 'invoice:read' })).json()) as CodeAnswer;
    expect(claimsOf(second.access_token)).toMatchObject({ sub: 'user:alice', scope: 'invoice:read', max_hops: 0 });
    expect(second.access_token).not.toBe(first.access_token);
    expect(await refusal(await refresh({ scope: 'invoice' }))).toEqual([400, 'invalid_scope']);
    await running.authority.delegations.revoke({ subject: 'user:alice' });
    expect(await refusal(await refresh())).toEqual([400, 'invalid_grant']);
  });

  it('gives no scope below those of the consent for an API that matches exactly [C6]', async () => {
    const { running, key } = await startPages({ resources: [{ audience: api, scopeMatch: 'exact' }] });
    const pkce = newPkce();
    const asked = await open(authorizeUrl(running.issuer, pkce.challenge), 'user:alice');
    // The agent has `pr:write`, and asks for `pr:write:draft`.
    expect(new URL(asked.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_scope');
    const capabilities = ['invoice:read', 'invoice:read:all', 'pr:write:draft'];
    await running.authority.agents.update('agent-a', { capabilities });
    const first = await redeem(running, key, await consent(running, 'user:alice', pkce), pkce);
    const { refresh_token: token = '' } = (await first.json()) as CodeAnswer;
    const refresh = async (scope: string) =>
      await post(running, '/token', 'agent-a', key, { grant_type: 'refresh_token', refresh_token: token, scope });
    expect(await refusal(await refresh('invoice:read:all'))).toEqual([400, 'invalid_scope']);
    expect(await (await refresh('invoice:read')).json()).toMatchObject({ scope: 'invoice:read' });
  });

  it('is not given for a single use', async () => {
    const { first } = await granted('1');
    expect(first.access_token).toBeDefined();
    expect(first).not.toHaveProperty('refresh_token');
  });

  it.each(engines)(
    'is counted: 50 at once give no more than the user allowed, on $name [O4]',
    async ({ skip, open }) => {
      if (skip) return;
      const { refresh } = await granted('4', { max_uses: '4' }, { store: await open() });
      const answers = await Promise.all(Array.from({ length: 50 }, () => refresh()));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
      expect(answers.filter(({ status }) => status === 400)).toHaveLength(47);
    },
  );

  it('survives a rotation of the key of its agent', async () => {
    const { running, key, first } = await granted();
    const next = newKey();
    await running.authority.agents.addKey('agent-a', { publicKey: next.publicKey }, { overlapSeconds: 0 });
    await running.authority.agents.revokeKey('agent-a', key.thumbprint);
    const parameters = { grant_type: 'refresh_token', refresh_token: first.refresh_token ?? '' };
    const token = (await (await post(running, '/token', 'agent-a', next, parameters)).json()) as CodeAnswer;
    expect(claimsOf(token.access_token)).toMatchObject({ cnf: { jwk: next.jwk } });
  });

  it('ends the consent when the agent revokes it, and is no access token', async () => {
    const { running, key, first, refresh } = await granted();
    const ask = async (token = '') => await (await post(running, '/introspect', 'agent-a', key, { token })).json();
    expect(await ask(first.refresh_token)).toEqual({ active: false });
    expect(await ask(first.access_token)).toMatchObject({ active: true });
    expect((await post(running, '/revoke', 'agent-a', key, { token: first.refresh_token ?? '' })).status).toBe(200);
    expect(await ask(first.access_token)).toEqual({ active: false });
    expect((await refresh()).status).toBe(400);
  });

  it('is not accepted as a code, and a code not as a refresh token [O4]', async () => {
    const { running, key, first } = await granted();
    const pkce = newPkce();
    const swapped = await redeem(running, key, first.refresh_token ?? '', pkce);
    expect(await refusal(swapped)).toEqual([400, 'invalid_grant']);
    const code = await consent(running, 'user:alice', pkce);
    const other = await post(running, '/token', 'agent-a', key, { grant_type: 'refresh_token', refresh_token: code });
    expect(await refusal(other)).toEqual([400, 'invalid_grant']);
  });
});
