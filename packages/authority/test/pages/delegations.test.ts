import { describe, expect, it } from 'vitest';
import { type AgentKey, claimsOf, newKey, post, type TokenAnswer } from '../support/client.js';
import type { RunningAuthority } from '../support/authority.js';
import {
  asShown,
  type CodeAnswer,
  consent,
  newPkce,
  open,
  redeem,
  startPages,
  submit,
  ticketOf,
} from '../support/pages.js';

const alice = 'user:alice';

async function token(running: RunningAuthority, key: AgentKey, user = alice, fields = asShown): Promise<CodeAnswer> {
  const pkce = newPkce();
  const code = await consent(running, user, pkce, fields);
  return (await (await redeem(running, key, code, pkce)).json()) as CodeAnswer;
}

async function isActive(running: RunningAuthority, agent: string, key: AgentKey, value: string): Promise<boolean> {
  const answer = await post(running, '/introspect', agent, key, { token: value });
  return ((await answer.json()) as { readonly active: boolean }).active;
}

/** Agent B may exchange what agent A holds, if its user lets other agents help. */
async function withHelper() {
  const { running, key } = await startPages({ exchange: [{ agents: ['agent-b'], from: ['agent-a'] }] });
  const helper = newKey();
  await running.authority.agents.add({ id: 'agent-b', publicKey: helper.publicKey, capabilities: ['invoice:read'] });
  const exchange = async (subjectToken: string) =>
    await post(running, '/token', 'agent-b', helper, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'invoice:read',
    });
  return { running, key, helper, exchange, page: `${running.issuer}/delegations` };
}

describe('the page of a user', () => {
  it('lists what acts for them, and for nobody else [O6]', async () => {
    const { running, key } = await startPages();
    const page = `${running.issuer}/delegations`;
    await token(running, key);
    await token(running, key, 'user:bob');
    const text = await (await open(page, alice)).text();
    expect(text.match(/class="item"/g)).toHaveLength(1);
    expect(text).toContain('Invoice agent');
    expect(text).toContain('pr:write:draft');
    expect(text).not.toContain('bob');
    expect(await (await open(page, 'user:carol')).text()).toContain('No agent acts for you now.');
    const signedOut = await open(page);
    expect(signedOut.headers.get('location')).toBe(
      `https://app.acme.dev/login?next=${encodeURIComponent(`${running.issuer}/delegations`)}`,
    );
  });

  it('ends a consent with all tokens made from it, at every hop [C7]', async () => {
    const { running, key, helper, exchange, page } = await withHelper();
    const first = await token(running, key, alice, [...asShown, ['pass_on', 'yes']]);
    const hop = (await (await exchange(first.access_token)).json()) as TokenAnswer;
    expect(claimsOf(hop.access_token)).toMatchObject({ sub: alice, act: { sub: 'agent-b', act: { sub: 'agent-a' } } });
    const text = await (await open(page, alice)).text();
    expect(text).toMatch(/Helped by<\/dt><dd><bdi>agent-b/);
    const [, delegation = ''] = /name="delegation" value="([^"]+)"/.exec(text) ?? [];
    const ended = await submit(page, alice, { ticket: ticketOf(text), delegation });
    expect(ended.headers.get('location')).toBe(`${page}?ended`);
    expect(await isActive(running, 'agent-a', key, first.access_token)).toBe(false);
    expect(await isActive(running, 'agent-b', helper, hop.access_token)).toBe(false);
    expect((await exchange(first.access_token)).status).toBe(400);
    const parameters = { grant_type: 'refresh_token', refresh_token: first.refresh_token ?? '' };
    expect((await post(running, '/token', 'agent-a', key, parameters)).status).toBe(400);
    const after = await (await open(`${page}?ended`, alice)).text();
    expect(after).toContain('No more tokens are made from it');
    expect(after).toContain('No agent acts for you now.');
  });

  it('keeps other agents from helping unless the user allows it [C6]', async () => {
    const { running, key, exchange } = await withHelper();
    const { access_token: held } = await token(running, key);
    expect((await exchange(held)).status).toBe(400);
  });

  it('ends one agent, or all of them', async () => {
    const { running, key, page, exchange } = await withHelper();
    const all = [...asShown, ['pass_on', 'yes'] as const];
    const [one, two] = [await token(running, key, alice, all), await token(running, key, alice, all)];
    const other = await token(running, key, 'user:bob', all);
    await exchange(one.access_token);
    const ticket = ticketOf(await (await open(page, alice)).text());
    expect((await submit(page, alice, { ticket, agent: 'agent-b' })).status).toBe(303);
    expect(await isActive(running, 'agent-a', key, one.access_token)).toBe(true);
    expect((await submit(page, alice, { ticket, all: 'yes' })).status).toBe(303);
    for (const { access_token: dead } of [one, two]) expect(await isActive(running, 'agent-a', key, dead)).toBe(false);
    expect(await isActive(running, 'agent-a', key, other.access_token)).toBe(true);
  });

  it('ends what was allowed before, and not what is allowed at once afterwards [C7]', async () => {
    const { running, key, page } = await withHelper();
    await token(running, key);
    const ticket = ticketOf(await (await open(page, alice)).text());
    expect((await submit(page, alice, { ticket, agent: 'agent-a' })).status).toBe(303);
    expect((await submit(page, alice, { ticket, all: 'yes' })).status).toBe(303);
    const again = await token(running, key);
    expect(await isActive(running, 'agent-a', key, again.access_token)).toBe(true);
    const parameters = { grant_type: 'refresh_token', refresh_token: again.refresh_token ?? '' };
    expect((await post(running, '/token', 'agent-a', key, parameters)).status).toBe(200);
  });

  it('shows a consent however many tokens its agent gets [O6]', async () => {
    const { running, key, page } = await withHelper();
    const { refresh_token: refresh = '' } = await token(running, key);
    const parameters = { grant_type: 'refresh_token', refresh_token: refresh };
    await Promise.all(Array.from({ length: 30 }, () => post(running, '/token', 'agent-a', key, parameters)));
    const text = await (await open(page, alice)).text();
    expect(text.match(/class="item"/g)).toHaveLength(1);
  });

  it('shows each agent, however often another exchanges the sign-in of the user [O6]', async () => {
    const { running, page } = await withHelper();
    const exp = Math.floor(Date.now() / 1000) + 300;
    await running.store.batch(
      Array.from({ length: 2001 }, (_, index) => ({
        text: `INSERT INTO countersign_delegations (id, issuer, subject, actor, thumbprint, claims, expires_at, created_at)
          VALUES ($1, 'https://login.acme.dev', $2, $3, 't', '{}', $4, 0)`,
        values: [`id-${index}`, alice, index === 0 ? 'agent-b' : 'agent-a', exp],
      })),
    );
    const text = await (await open(page, alice)).text();
    expect(text.match(/class="item"/g)).toHaveLength(2);
    expect(text).toContain('Acts for you with 2000 tokens');
    expect(text).toContain('<bdi>agent-b</bdi>');
  });

  it('ends nothing of another user, from another site, or without its sealed field [O2, O6]', async () => {
    const { running, key, page } = await withHelper();
    const held = await token(running, key);
    const text = await (await open(page, alice)).text();
    const [, delegation = ''] = /name="delegation" value="([^"]+)"/.exec(text) ?? [];
    await token(running, key, 'user:bob');
    const bobs = ticketOf(await (await open(page, 'user:bob')).text());
    expect((await submit(page, 'user:bob', { ticket: bobs, delegation })).status).toBe(303);
    expect((await submit(page, alice, { ticket: bobs, delegation })).status).toBe(403);
    expect((await submit(page, alice, { delegation })).status).toBe(403);
    const foreign = { origin: 'https://evil.example' };
    expect((await submit(page, alice, { ticket: ticketOf(text), delegation }, foreign)).status).toBe(403);
    expect((await submit(page, alice, { ticket: ticketOf(text) })).status).toBe(403);
    expect(await isActive(running, 'agent-a', key, held.access_token)).toBe(true);
  });
});
