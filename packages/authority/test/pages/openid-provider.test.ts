import { describe, expect, it, onTestFinished } from 'vitest';
import { CookieBrowser } from '../../../../test/support/cookie-browser.js';
import { freePort } from '../../../../test/support/free-port.js';
import { startOpenIdProvider, type TestOpenIdProvider } from '../../../../test/support/openid-provider.js';
import { ConfigError } from '../../src/index.js';
import { startAuthority } from '../support/authority.js';
import { answered, cookieOf, login, world } from '../support/sign-in.js';
import { engines } from '../support/stores.js';

describe('the answer of the provider', () => {
  it('counts only in the browser that began, so that nobody is signed in as somebody else [P2]', async () => {
    const { back, behind, browser } = await answered();
    const victim = new CookieBrowser(behind);
    expect((await victim.open(back)).status).toBe(400);
    await victim.open(`${back.origin}/sign-in`);
    expect((await victim.open(back)).status).toBe(400);
    expect(cookieOf(victim, 'countersign-session')).toBeUndefined();
    expect((await browser.open(back)).status).toBe(200);
  });

  it.each([
    ['another state', (query: URLSearchParams) => query.set('state', 'x'.repeat(43)), 400],
    ['no state', (query: URLSearchParams) => query.delete('state'), 400],
    ['two states', (query: URLSearchParams) => query.append('state', 'x'), 403],
    ['another issuer', (query: URLSearchParams) => query.set('iss', 'https://evil.example'), 403],
    ['no issuer', (query: URLSearchParams) => query.delete('iss'), 403],
    ['no code', (query: URLSearchParams) => query.delete('code'), 403],
    ['a code of nobody', (query: URLSearchParams) => query.set('code', 'x'.repeat(43)), 403],
    ['markup for an error', (query: URLSearchParams) => query.set('error', '<script>'), 403],
  ])('does not count with %s, and is no fault of the provider [O5, P2]', async (_, change, status) => {
    const { back, browser, troubles } = await answered();
    change(back.searchParams);
    const seen = await browser.open(back);
    expect([seen.status, troubles]).toEqual([status, []]);
    expect(seen.text).not.toContain('<script>');
    expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
  });

  it.each(engines)('counts once when it comes 50 times at once, on $name [A10, P2]', async ({ skip, open }) => {
    if (skip) return;
    const { back, browser } = await answered({ store: await open() });
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async () => (await browser.request(back, 'GET')).status),
    );
    expect(statuses.filter((status) => status === 303)).toHaveLength(1);
    expect(statuses.filter((status) => status === 403)).toHaveLength(49);
  });

  it('is answered with 503, and signs nobody in, when the database is down', async () => {
    const { back, browser, running, page } = await answered();
    await running.store.close();
    expect((await browser.open(back)).status).toBe(503);
    expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
    browser.cookies.get('127.0.0.1')?.set('countersign-session', `countersign-session=${'A'.repeat(43)}`);
    const seen = await browser.open(page);
    expect([seen.status, seen.text]).toEqual([503, expect.stringContaining('This does not work now')]);
  });

  it('does not count when the ID token is of another sign-in, or is not signed by the provider [B1]', async () => {
    const tampering: readonly ((claims: Record<string, unknown>) => Record<string, unknown>)[] = [
      (claims) => ({ ...claims, nonce: 'another' }),
      (claims) => ({ ...claims, sub: 'mallory' }),
      (claims) => ({ ...claims, aud: 'another-client' }),
    ];
    for (const tamper of tampering) {
      const { back, browser, idp, troubles } = await answered();
      idp.altered.set('/token', (body) => {
        const [head = '', claims = '', signature = ''] = String(body['id_token']).split('.');
        const changed = tamper(JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>);
        const payload = Buffer.from(JSON.stringify(changed)).toString('base64url');
        return { ...body, id_token: [head, payload, signature].join('.') };
      });
      const seen = await browser.open(back);
      expect([seen.status, troubles[0]]).toEqual([503, expect.stringContaining('ProviderUnavailable')]);
      expect(cookieOf(browser, 'countersign-session')).toBeUndefined();
    }
  });
});

describe('a provider', () => {
  it('that does not answer at the start keeps nothing else from working, and users sign in once it does', async () => {
    const port = await freePort();
    const down = `http://127.0.0.1:${port}`;
    const { browser, page, troubles, running } = await world({ signIn: { issuer: down } });
    expect(troubles).toEqual([expect.stringContaining(`users cannot sign in until '${down}' answers`)]);
    expect((await fetch(`${running.issuer}/agents.jwt`)).status).toBe(200);
    const seen = await browser.open(page);
    expect([seen.status, seen.text]).toEqual([503, expect.stringContaining('This does not work now')]);
    const late = await startOpenIdProvider({ redirectUris: [`${running.issuer}/sign-in/callback`], port });
    onTestFinished(() => late.close());
    expect((await browser.open(page)).text).toContain('Sign in at Acme');
  });

  it.each([
    ['of another name', { issuer: 'https://evil.example' }, 'issuer'],
    [
      'without an authorization endpoint',
      { authorization_endpoint: undefined },
      'no authorization_endpoint with https',
    ],
    ['with plain http', { token_endpoint: 'http://id.acme.dev/token' }, 'no token_endpoint with https'],
    ['without PKCE', { code_challenge_methods_supported: ['plain'] }, 'PKCE with S256'],
  ])('%s stops the start, with a message that says why [G5]', async (_, change, why) => {
    const discovery = '/.well-known/openid-configuration';
    const idp = await startOpenIdProvider({ redirectUris: ['https://id.acme.dev/sign-in/callback'] });
    onTestFinished(() => idp.close());
    idp.altered.set(discovery, (body) => ({ ...body, ...change }));
    const starting = startWith(idp);
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(why);
  });

  it('that has no discovery document stops the start', async () => {
    const idp = await startOpenIdProvider({ redirectUris: ['https://id.acme.dev/sign-in/callback'] });
    onTestFinished(() => idp.close());
    await expect(startWith({ ...idp, issuer: `${idp.issuer}/realms/none` })).rejects.toThrow(/404.*'issuer' must be/);
  });

  it('that refuses the secret is reported with what to look at, and the user gets no detail', async () => {
    const { browser, page, troubles } = await world({ signIn: { clientSecret: 'wrong' } });
    const seen = await login(browser, await browser.open(page));
    expect([seen.status, seen.text]).toEqual([503, expect.not.stringContaining('client')]);
    expect(troubles).toEqual([expect.stringMatching(/'clientId' with this 'clientSecret'|invalid_client/)]);
    expect(troubles.join()).not.toContain('wrong');
  });
});

function startWith({
  issuer,
  clientId,
  clientSecret,
}: Pick<TestOpenIdProvider, 'issuer' | 'clientId' | 'clientSecret'>) {
  return startAuthority({ users: { signIn: { issuer, clientId, clientSecret, subjectNamespace: 'acme:' } } });
}
