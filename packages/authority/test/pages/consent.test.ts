import { request as send } from 'node:http';
import { describe, expect, it } from 'vitest';
import { developmentUser } from '../../src/index.js';
import {
  answerOf,
  asShown,
  authenticate,
  authorizeUrl,
  type Changes,
  consent,
  newPkce,
  open,
  redeem,
  redirectUri,
  startPages,
  submit,
  ticketOf,
} from '../support/pages.js';
import { engines } from '../support/stores.js';

const { challenge } = newPkce();
const alice = 'user:alice';
const callback = 'https://agent.acme.dev/callback';

async function asked(changes: Changes = {}, options: Parameters<typeof startPages>[0] = {}) {
  const { running, key } = await startPages(options);
  const page = await open(authorizeUrl(running.issuer, challenge, changes), alice);
  const text = await page.text();
  return { running, key, page, text, post: `${running.issuer}/consent` };
}

describe('the consent page', () => {
  it('says who asks for what, for how long, and where the user goes back to', async () => {
    const { page, text } = await asked({
      scope: 'invoice:read',
      requested_expiry: '900',
      authorization_details: JSON.stringify([{ type: 'Invoice', identifier: '4711', actions: ['invoice.read'] }]),
    });
    expect(page.status).toBe(200);
    for (const part of [
      '<bdi>Invoice agent</bdi> asks to act for you',
      'Name of user:alice',
      'value="invoice:read" checked',
      'the <code><bdi>Invoice</bdi></code> <code><bdi>4711</bdi></code>, only <code><bdi>invoice.read</bdi></code>',
      '<option value="900" selected>15 minutes</option>',
      'agent.acme.dev',
      'team:billing',
      'https://api.acme.dev',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('runs no script, cannot be framed or stored, and tells other sites nothing [O3]', async () => {
    const { page, text } = await asked();
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self' https:\/\/agent\.acme\.dev;/,
    );
    expect(policy).toContain("frame-ancestors 'none'; base-uri 'none'");
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    expect(page.headers.get('referrer-policy')).toBe('same-origin');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('set-cookie')).toBeNull();
    expect(text).not.toContain('<script');
  });

  it('shows markup in what agents and users choose as text [O3]', async () => {
    const { running } = await startPages({
      users: { authenticate: developmentUser(alice, '"><script>alert(1)</script>') },
    });
    await running.authority.agents.update('agent-a', { name: `<img src=x onerror='alert("1")'>` });
    const details = JSON.stringify([{ type: 'Invoice', identifier: '</p><b>all</b>' }]);
    const url = authorizeUrl(running.issuer, challenge, { authorization_details: details });
    const text = await (await open(url)).text();
    expect(text).not.toMatch(/<script|<img|<b>all/);
    expect(text).toContain('&#60;img');
  });

  it('records no consent of a user who is revoked while they answer [C7]', async () => {
    let revoke: (() => Promise<unknown>) | undefined;
    const { running } = await startPages({
      users: {
        authenticate: async (request, returnTo) => {
          const user = authenticate(request, returnTo);
          await revoke?.();
          return user;
        },
      },
    });
    const page = await (await open(authorizeUrl(running.issuer, challenge), alice)).text();
    revoke = async () => await running.authority.delegations.revoke({ subject: alice });
    const answer = await submit(`${running.issuer}/consent`, alice, [['ticket', ticketOf(page)], ...asShown]);
    expect(answer.status).toBe(409);
    expect(await answer.text()).toContain('your access has ended');
    expect(await running.authority.delegations.listOf(alice)).toEqual([]);
  });

  it('sends a user who is not signed in to the application, and from there back to the question', async () => {
    const { running } = await startPages();
    const url = authorizeUrl(running.issuer, challenge);
    const { to, parameters } = answerOf(await open(url));
    expect(to).toBe('https://app.acme.dev/login');
    expect((await open(String(parameters['next']), alice)).status).toBe(200);
    expect(new URL(String(parameters['next'])).search).toBe(new URL(url).search);
  });

  it.each([
    ['of an unknown agent', { client_id: 'agent-x' }],
    ['without an agent', { client_id: undefined }],
    ['without a redirect_uri', { redirect_uri: undefined }],
    ['with a prefix of the redirect_uri', { redirect_uri: callback }],
    ['with a longer path', { redirect_uri: `${callback}/../evil?from=authority` }],
    ['with more query', { redirect_uri: `${redirectUri}&next=https://evil.example` }],
    ['with a fragment', { redirect_uri: `${redirectUri}#` }],
    ['with another host', { redirect_uri: 'https://agent.acme.dev.evil.example/callback?from=authority' }],
    ['with credentials', { redirect_uri: 'https://agent.acme.dev@evil.example/callback?from=authority' }],
    ['with another scheme', { redirect_uri: 'http://agent.acme.dev/callback?from=authority' }],
    ['with another case', { redirect_uri: redirectUri.replace('callback', 'Callback') }],
    ['with a script', { redirect_uri: 'javascript:alert(1)' }],
  ])('sends nobody anywhere for a request %s [O1]', async (_, changes) => {
    const { page } = await asked(changes);
    expect(page.status).toBe(400);
    expect(page.headers.get('location')).toBeNull();
    expect(page.headers.get('content-type')).toContain('text/html');
  });

  it('does not follow the second of two redirect_uris [O1]', async () => {
    const { running } = await startPages();
    const twice = `${authorizeUrl(running.issuer, challenge)}&redirect_uri=https%3A%2F%2Fevil.example`;
    expect((await open(twice, alice)).status).toBe(400);
  });

  it('is not shown for an agent that is suspended [C7]', async () => {
    const { running } = await startPages();
    await running.authority.agents.setStatus('agent-a', 'suspended');
    expect((await open(authorizeUrl(running.issuer, challenge), alice)).status).toBe(400);
  });

  it.each([
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ response_mode: 'fragment' }, 'invalid_request'],
    [{ code_challenge: undefined }, 'invalid_request'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ code_challenge_method: undefined }, 'invalid_request'],
    [{ code_challenge: 'short' }, 'invalid_request'],
    [{ scope: 'invoice' }, 'invalid_scope'],
    [{ scope: 'invoice:write' }, 'invalid_scope'],
    [{ scope: 'openid' }, 'invalid_scope'],
    [{ resource: 'https://evil.example' }, 'invalid_target'],
    [{ resource: 'https://other.acme.dev' }, 'invalid_scope'],
    [{ authorization_details: '{}' }, 'invalid_authorization_details'],
    [{ authorization_details: '[{"type":"Invoice","unless":"paid"}]' }, 'invalid_authorization_details'],
    [{ requested_expiry: '1e3' }, 'invalid_request'],
    [{ max_uses: '0' }, 'invalid_request'],
    [{ request: 'e30.e30.' }, 'request_not_supported'],
    [{ request_uri: 'https://evil.example' }, 'request_uri_not_supported'],
    [{ prompt: 'none' }, 'interaction_required'],
  ])('answers %j with %s to the agent [C6]', async (changes, error) => {
    const { page, running } = await asked(changes);
    expect(page.status).toBe(303);
    const { to, parameters } = answerOf(page);
    expect(to).toBe(callback);
    expect(parameters).toMatchObject({ error, state: 'state-of-the-agent', iss: running.issuer, from: 'authority' });
  });

  it('asks for no longer than the authority allows', async () => {
    const { text } = await asked({ requested_expiry: '31536000' });
    expect(text).toContain('<option value="28800" selected>8 hours</option>');
    expect(text).not.toContain('31536000');
  });

  it('is refused to a user with the name of an agent [B7]', async () => {
    const { running } = await startPages();
    expect((await open(authorizeUrl(running.issuer, challenge), 'agent-a')).status).toBe(403);
  });

  it('says that it does not work now when the application or the database fails [L1]', async () => {
    const { running } = await startPages({
      users: { authenticate: () => Promise.reject(new Error('no session store')) },
      onTrouble: () => {},
    });
    const url = authorizeUrl(running.issuer, challenge);
    const failed = await open(url, alice);
    expect([failed.status, failed.headers.get('content-type')]).toEqual([500, 'text/html; charset=utf-8']);
    await running.store.close();
    const down = await open(url, alice);
    expect(down.status).toBe(503);
    expect(await down.text()).toContain('Try again');
  });
});

it.each([null, {}, { user: {} }, { user: { subject: '' } }, { user: { subject: 'alice\n' } }, { redirect: 'a\r\nb' }])(
  'a page is not shown when the application says that the user is %j [L3]',
  async (answer) => {
    const { running } = await startPages({ users: { authenticate: () => answer as never }, onTrouble: () => {} });
    expect((await open(authorizeUrl(running.issuer, challenge))).status).toBe(500);
  },
);

describe('the answer of a user', () => {
  it('reaches the agent with state and issuer, and narrows what was asked for', async () => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const page = await (await open(authorizeUrl(running.issuer, pkce.challenge), alice)).text();
    const answered = await submit(`${running.issuer}/consent`, alice, [
      ['ticket', ticketOf(page)],
      ['scope', 'invoice:read'],
      ['seconds', '300'],
      ['uses', '1'],
      ['pass_on', 'yes'],
      ['decision', 'allow'],
    ]);
    expect(answered.status).toBe(303);
    const { to, parameters } = answerOf(answered);
    expect(to).toBe(callback);
    expect(parameters).toMatchObject({ state: 'state-of-the-agent', iss: running.issuer, from: 'authority' });
    const token = await (await redeem(running, key, String(parameters['code']), pkce)).json();
    expect(token).toMatchObject({ scope: 'invoice:read' });
    expect(token).not.toHaveProperty('refresh_token');
  });

  it('is access_denied when the user does not allow it', async () => {
    const { text, post } = await asked();
    const { parameters } = answerOf(await submit(post, alice, { ticket: ticketOf(text), decision: 'deny' }));
    expect(parameters).toMatchObject({ error: 'access_denied', state: 'state-of-the-agent' });
    expect(parameters).not.toHaveProperty('code');
  });

  it.each([
    ['a wider scope', ['scope', 'invoice'], 403],
    ['another scope', ['scope', 'admin'], 403],
    ['more time', ['seconds', '901'], 403],
    ['no time', ['seconds', ''], 403],
    ['uses that are no number', ['uses', '-1'], 403],
  ] as const)('does not count with %s [O2]', async (_, change, status) => {
    const { text, post, running } = await asked();
    const fields = [...asShown.filter(([name]) => name === 'scope' || name !== change[0]), change];
    const answered = await submit(post, alice, [['ticket', ticketOf(text)], ...fields]);
    expect(answered.status).toBe(status);
    expect(await running.authority.delegations.listOf(alice)).toEqual([]);
  });

  it('does not count with more uses than were asked for [O2]', async () => {
    const { text, post } = await asked({ max_uses: '2' });
    for (const uses of ['', '3']) {
      const fields = asShown.map(([name, value]) => [name, name === 'uses' ? uses : value] as const);
      expect((await submit(post, alice, [['ticket', ticketOf(text)], ...fields])).status).toBe(403);
    }
  });

  it('needs at least one scope', async () => {
    const { text, post } = await asked();
    const fields = asShown.filter(([name]) => name !== 'scope');
    expect((await submit(post, alice, [['ticket', ticketOf(text)], ...fields])).status).toBe(400);
  });

  it('does not count from another site [O2]', async () => {
    const { text, post, running } = await asked();
    const fields = [['ticket', ticketOf(text)], ...asShown] as const;
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }]) {
      expect((await submit(post, alice, fields, headers)).status).toBe(403);
    }
    // Not with fetch, which sets this header itself.
    const status = await new Promise((resolve, reject) => {
      const headers = {
        'sec-fetch-site': 'same-site',
        'content-type': 'application/x-www-form-urlencoded',
        cookie: 'user=user:alice',
      };
      const cross = send(post, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      cross
        .on('error', reject)
        .end(new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])).toString());
    });
    expect(status).toBe(403);
    expect(await running.authority.delegations.listOf(alice)).toEqual([]);
  });

  it('does not count without the sealed question, with that of somebody else, or as text [O2]', async () => {
    const { text, post } = await asked();
    const ticket = ticketOf(text);
    const wrong = ['', 'AAAA', `${ticket.slice(0, -3)}AAA`];
    for (const each of wrong) expect((await submit(post, alice, [['ticket', each], ...asShown])).status).toBe(403);
    expect((await submit(post, alice, asShown)).status).toBe(403);
    expect((await submit(post, 'user:bob', [['ticket', ticket], ...asShown])).status).toBe(403);
    const headers = { 'content-type': 'text/plain' };
    expect((await submit(post, alice, [['ticket', ticket], ...asShown], headers)).status).toBe(403);
    const signedOut = { method: 'POST', body: new URLSearchParams({ ticket, decision: 'allow' }) };
    expect((await fetch(post, signedOut)).status).toBe(403);
    expect((await fetch(post)).status).toBe(405);
    const long = { method: 'POST', body: new URLSearchParams({ ticket: 'A'.repeat(200_000) }) };
    expect((await fetch(post, long)).status).toBe(413);
  });

  it('does not count when the agent has changed the address since, or lost the scope [O1, C6]', async () => {
    const { text, post, running } = await asked();
    const fields = [['ticket', ticketOf(text)], ...asShown] as const;
    await running.authority.agents.update('agent-a', { capabilities: ['other:read'] });
    expect(answerOf(await submit(post, alice, fields)).parameters).toMatchObject({ error: 'invalid_scope' });
    await running.authority.agents.update('agent-a', { redirectUris: ['https://agent.acme.dev/new'] });
    expect((await submit(post, alice, fields)).status).toBe(400);
  });

  it.each(engines)('counts once when it comes 50 times at once, on $name [O2]', async ({ skip, open: openStore }) => {
    if (skip) return;
    const { text, post, running } = await asked({}, { store: await openStore() });
    const fields = [['ticket', ticketOf(text)], ...asShown] as const;
    const answers = await Promise.all(Array.from({ length: 50 }, () => submit(post, alice, fields)));
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(49);
    expect(await running.authority.delegations.listOf(alice)).toHaveLength(1);
  });

  it('does not count at another authority, even one with the same secret [O5]', async () => {
    const [one, other] = [await startPages(), await startPages()];
    const pkce = newPkce();
    const page = await (await open(authorizeUrl(one.running.issuer, pkce.challenge), alice)).text();
    const fields = [['ticket', ticketOf(page)], ...asShown] as const;
    expect((await submit(`${other.running.issuer}/consent`, alice, fields)).status).toBe(403);
    const code = await consent(one.running, alice, pkce);
    expect((await redeem(other.running, other.key, code, pkce)).status).toBe(400);
  });
});

it('developmentUser signs everybody in, and only where the issuer is on loopback', async () => {
  const authenticate = developmentUser(alice);
  const { running } = await startPages({ users: { authenticate } });
  expect((await open(authorizeUrl(running.issuer, challenge))).status).toBe(200);
  expect(() => authenticate({} as never, 'https://id.acme.dev/authorize')).toThrow('not for production');
});
