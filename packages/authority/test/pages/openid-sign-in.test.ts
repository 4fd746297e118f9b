import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { authorizeUrl, newPkce, redirectUri } from '../support/pages.js';
import { answered, cookieOf, login, signedIn, signInAgain, world } from '../support/sign-in.js';
import { engines } from '../support/stores.js';

describe('the sign-in at an OpenID provider', () => {
  it('leads to the provider and back to the question of the agent, which the user answers', async () => {
    const { browser, issuer, running } = await world();
    const asked = authorizeUrl(issuer, newPkce().challenge);
    const there = await browser.open(asked);
    expect(there.text).toContain('Sign in at Acme');
    const back = await login(browser, there);
    expect(back.url.href).toBe(new URL(asked).href);
    expect(back.text).toContain('You are signed in as <bdi>alice@acme.dev</bdi>');
    const answer = { scope: 'invoice:read', seconds: '300', uses: '', decision: 'allow' };
    const sent = await browser.request(...browser.formOf(back, '/consent', answer));
    expect(sent.headers.get('location')).toContain(`${redirectUri}&code=`);
    expect((await running.authority.delegations.listOf('acme:alice')).map(({ actor }) => actor)).toEqual(['agent-a']);
  });

  it('keeps its session in a cookie of this host only, out of reach of scripts, and not the name', async () => {
    const issuer = 'https://id.acme.dev';
    const { browser, seen } = await signedIn({ issuer });
    expect(seen.text).toContain('No agent acts for you now.');
    expect([...(browser.cookies.get('id.acme.dev')?.values() ?? [])]).toEqual([
      expect.stringMatching(
        /^__Host-countersign-session=[\w-]{43}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure$/,
      ),
    ]);
  });

  it.each([
    ['a client secret in the body', { authMethod: 'client_secret_post' }],
    ['names at the UserInfo endpoint only', { thinIdTokens: true }],
  ] as const)('works with a provider that wants %s', async (_, idp) => {
    const { seen } = await signedIn({ idp });
    expect(seen.text).toContain('<bdi>alice@acme.dev</bdi>');
  });

  it('works below a path', async () => {
    const { seen, issuer } = await signedIn({ path: '/oidc' });
    expect([seen.status, seen.url.href]).toEqual([200, `${issuer}/delegations`]);
  });

  it('lets in only users with the required claims', async () => {
    const start = { signIn: { requiredClaims: { hd: 'acme.dev', groups: 'staff' } } };
    expect((await signedIn(start)).seen.status).toBe(200);
    const { seen, browser } = await signedIn({ signIn: { requiredClaims: { groups: 'admins' } } });
    expect([seen.status, seen.text]).toEqual([403, expect.stringContaining('You cannot sign in here')]);
    expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
  });

  it('names users by the claim that is configured, and refuses one without it [C5]', async () => {
    const { seen } = await signedIn({ signIn: { subjectClaim: 'oid', requiredClaims: { hd: 'acme.dev' } } });
    expect(seen.status).toBe(200);
    for (const subjectClaim of ['nothing', 'groups', 'toString']) {
      const { seen: refused, browser } = await signedIn({ signIn: { subjectClaim } });
      expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('has no claim')]);
      expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
    }
  });

  it('refuses a user whose tenant cannot be read, instead of one without a tenant [C8]', async () => {
    const { seen, browser } = await signedIn({ signIn: { tenantClaim: 'groups' } });
    expect([seen.status, seen.text]).toEqual([403, expect.stringContaining('is not one tenant')]);
    expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
    for (const tenantClaim of ['hd', 'nothing']) {
      expect((await signedIn({ signIn: { tenantClaim } })).seen.status).toBe(200);
    }
  });

  it('says that the user did not sign in when they cancel', async () => {
    const { browser, page } = await world();
    const seen = await login(browser, await browser.open(page), '', { do: 'cancel' });
    expect([seen.status, seen.text]).toEqual([403, expect.stringContaining('access_denied')]);
  });

  it('gives each sign-in a new session, and ends the one before [P1]', async () => {
    const { browser, issuer, page } = await signedIn();
    const first = cookieOf(browser, 'countersign-session');
    await browser.open(`${issuer}/sign-in`);
    const second = cookieOf(browser, 'countersign-session');
    expect(second).not.toBe(first);
    browser.cookies.set('127.0.0.1', new Map([['countersign-session', String(first)]]));
    expect((await browser.open(page)).text).toContain('Sign in at Acme');
  });

  it('takes no session that a user was given: unknown, twice in one request, or over [P1]', async () => {
    const { browser, page } = await signedIn();
    const jar = browser.cookies.get('127.0.0.1') ?? new Map<string, string>();
    const session = String(jar.get('countersign-session'));
    const known = new Map([...jar].filter(([name]) => name.startsWith('_')));
    const statusWith = async (cookies: readonly string[]) => {
      const headers = { cookie: cookies.join('; ') };
      return (await fetch(page, { headers, redirect: 'manual' })).status;
    };
    expect(known.size).toBeGreaterThan(0);
    const pair = String(session.split(';', 1)[0]);
    expect(await statusWith([pair])).toBe(200);
    expect(await statusWith([`countersign-session=${'A'.repeat(43)}`])).toBe(303);
    expect(await statusWith([pair, `countersign-session=${'A'.repeat(43)}`])).toBe(303);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_601_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(await statusWith([pair])).toBe(303);
  });
});

describe('the addresses of the sign-in', () => {
  it.each([
    ['https://evil.example/delegations'],
    ['https://id.acme.dev.evil.example/'],
    ['https://id.acme.dev@evil.example/'],
    ['https://id.acme.dev/../delegations'],
    ['//evil.example'],
    ['javascript:alert(1)'],
    ['https://id.acme.dev/sign-in'],
    ['https://id.acme.dev/sign-out'],
    [''],
  ])('lead to no other place than a page of the authority, for %j [P3]', async (target) => {
    const { browser, issuer } = await signedIn({ issuer: 'https://id.acme.dev' });
    const seen = await browser.open(`${issuer}/sign-in?${new URLSearchParams({ return_to: target }).toString()}`);
    expect(seen.url.href).toBe(`${issuer}/delegations`);
  });

  it('refuse a question that does not fit into a cookie, which works once the user is signed in', async () => {
    const { browser, issuer, page } = await world();
    const details = [
      {
        type: 'Invoice',
        identifier: '4711',
        actions: Array.from({ length: 90 }, (_, n) => `invoice.action-${n}-of-many`),
      },
    ];
    const asked = authorizeUrl(issuer, newPkce().challenge, { authorization_details: JSON.stringify(details) });
    const refused = await browser.open(asked);
    expect([refused.status, refused.text]).toEqual([414, expect.stringContaining('Sign in at')]);
    await login(browser, await browser.open(page));
    expect((await browser.open(asked)).text).toContain('Invoice agent');
  });
});

it.each(engines)(
  'a session ends when its subject is revoked, and no other one does, on $name [C7, P1]',
  async (engine) => {
    if (engine.skip) return;
    const { running, browser, page } = await signedIn({ store: await engine.open() });
    const headers = { cookie: String(cookieOf(browser, 'countersign-session')).split(';', 1)[0] ?? '' };
    const statusOfPage = async () => (await fetch(page, { redirect: 'manual', headers })).status;
    await running.authority.delegations.revoke({ subject: 'acme:bob' });
    await running.authority.delegations.revoke({ actor: 'agent-a' });
    expect(await statusOfPage()).toBe(200);
    expect((await running.admin('POST', '/revocations', { subject: 'acme:alice' })).status).toBe(200);
    expect(await statusOfPage()).toBe(303);
  },
);

it.each(engines)(
  'a sign-in that began before its subject was revoked gives no session, on $name [C7, P1]',
  async (engine) => {
    if (engine.skip) return;
    const opened = await engine.open();
    let later = 0;
    const store = { ...opened, clock: async () => (await opened.clock()) + later };
    const { running, browser, page, back } = await answered({ store });
    await running.authority.delegations.revoke({ subject: 'acme:alice' });
    const seen = await browser.open(back);
    expect([seen.status, seen.text]).toEqual([403, expect.stringContaining('Your access ended while you signed in')]);
    expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
    // One that begins later does: to lock a user out is up to the provider.
    later = 2;
    expect((await browser.open(page)).url.href).toBe(page);
  },
);

describe('the sign-out', () => {
  it('ends the session, and leads to the provider and to another sign-in', async () => {
    const { browser, seen, page, idp } = await signedIn();
    const session = cookieOf(browser, 'countersign-session');
    const out = await browser.submit(seen, '/sign-out');
    expect([out.status, out.text]).toEqual([200, expect.stringContaining('You are signed out')]);
    expect(out.text).toContain(`${idp.issuer}/session/end?client_id=authority`);
    expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
    const kept = await fetch(page, { redirect: 'manual', headers: { cookie: String(session).split(';', 1)[0] ?? '' } });
    expect(kept.status).toBe(303);
    // The provider asks again, although it has a session of its own.
    const [, again = ''] = /href="([^"]+)">Sign in again/.exec(out.text) ?? [];
    expect((await browser.open(again.replaceAll('&#38;', '&'))).text).toContain('Sign in at Acme');
    expect((await browser.open(page)).url.href).toBe(page);
  });

  it('is possible on the question of an agent, for who is signed in as somebody else', async () => {
    const { browser, issuer } = await signedIn();
    const asked = authorizeUrl(issuer, newPkce().challenge);
    const out = await browser.submit(await browser.open(asked), '/sign-out');
    const back = await signInAgain(browser, out, 'bob');
    expect([back.url.href, back.text]).toEqual([asked, expect.stringContaining('bob@acme.dev')]);
  });

  it('counts neither from another site, nor without a form of this user [O2, P3]', async () => {
    const { browser, seen, page, issuer } = await signedIn();
    const [url, , form] = browser.formOf(seen, '/sign-out', {});
    const other = await signedIn({}, 'bob');
    const [, , foreign] = other.browser.formOf(other.seen, '/sign-out', {});
    const cookie = String(cookieOf(browser, 'countersign-session')).split(';', 1)[0] ?? '';
    const send = async (body: URLSearchParams, headers: Record<string, string>) =>
      (await fetch(url, { method: 'POST', body, headers: { cookie, ...headers } })).status;
    expect(await send(form, { origin: 'https://evil.example' })).toBe(403);
    expect(await send(form, { 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await send(foreign, {})).toBe(403);
    expect(await send(new URLSearchParams(), {})).toBe(403);
    expect((await browser.open(`${issuer}/sign-out`)).status).toBe(405);
    expect((await browser.open(page)).status).toBe(200);
  });

  it('makes a question that is still open count for nobody else [O2]', async () => {
    const { browser, issuer, running } = await signedIn();
    const question = await browser.open(authorizeUrl(issuer, newPkce().challenge));
    const out = await browser.submit(question, '/sign-out');
    const answer = { scope: 'invoice:read', seconds: '300', uses: '', decision: 'allow' };
    expect((await browser.submit(question, '/consent', answer)).status).toBe(403);
    expect((await signInAgain(browser, out, 'bob')).text).toContain('bob@acme.dev');
    expect((await browser.submit(question, '/consent', answer)).status).toBe(403);
    expect(await running.authority.delegations.listOf('acme:bob')).toEqual([]);
  });
});
