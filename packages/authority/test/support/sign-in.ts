import { onTestFinished } from 'vitest';
import { CookieBrowser, type Seen } from '../../../../test/support/cookie-browser.js';
import {
  startOpenIdProvider,
  type TestOpenIdProvider,
  type TestOpenIdProviderOptions,
} from '../../../../test/support/openid-provider.js';
import type { ExternalIssuerOptions, SignInOptions, UserOptions } from '../../src/index.js';
import { startAuthority } from './authority.js';
import { newKey } from './client.js';
import { redirectUri } from './pages.js';

export interface Start extends NonNullable<Parameters<typeof startAuthority>[0]> {
  readonly signIn?: Partial<SignInOptions>;
  readonly idp?: Partial<TestOpenIdProviderOptions>;
  /** The provider as one whose access tokens are exchanged, also by the rules of `exchange`. */
  readonly external?: (issuer: string) => ExternalIssuerOptions;
}

/** An authority whose users sign in at a provider, and a browser. */
export async function world({ signIn, idp: idpOptions, external, ...options }: Start = {}) {
  const troubles: string[] = [];
  let made: { readonly idp: TestOpenIdProvider; readonly users: UserOptions } | undefined;
  const running = await startAuthority({
    onTrouble: (message) => void troubles.push(message),
    async prepare(address) {
      const redirectUris = [`${options.issuer ?? address}/sign-in/callback`];
      const idp = await startOpenIdProvider({ redirectUris, ...idpOptions });
      onTestFinished(() => idp.close());
      const { issuer, clientId, clientSecret } = idp;
      const users = { signIn: { issuer, clientId, clientSecret, subjectNamespace: 'acme:', ...signIn } };
      made = { idp, users };
      if (external === undefined) return { users };
      const exchange = (options.exchange ?? []).map((rule) => ({ ...rule, issuer }));
      return { users, externalIssuers: [external(issuer)], exchange };
    },
    ...options,
  });
  if (made === undefined) throw new Error('there is no provider');
  await running.authority.agents.add({
    id: 'agent-a',
    name: 'Invoice agent',
    publicKey: newKey().publicKey,
    capabilities: ['invoice:read', 'pr:write'],
    redirectUris: [redirectUri],
  });
  const { issuer = running.issuer } = options;
  const behind = { [new URL(issuer).origin]: new URL(running.issuer).origin };
  const browser = new CookieBrowser(behind);
  return { ...made, issuer, running, troubles, behind, browser, page: `${issuer}/delegations` };
}

export const login = async (browser: CookieBrowser, page: Seen, user = 'alice', fields = {}) =>
  await browser.submit(page, '', { login: user, do: 'sign-in', ...fields });

export async function signedIn(start: Start = {}, user = 'alice') {
  const all = await world(start);
  const seen = await login(all.browser, await all.browser.open(all.page), user);
  return { ...all, seen };
}

export const cookieOf = (browser: CookieBrowser, name: string, host = '127.0.0.1') =>
  browser.cookies.get(host)?.get(name);

/** The browser of a user who has just signed in there, and the address with which it is sent back. */
export async function answered(start: Start = {}, user = 'alice') {
  const all = await world(start);
  const { browser, page, issuer } = all;
  const there = await browser.open(page);
  let response = await browser.request(...browser.formOf(there, '', { login: user, do: 'sign-in' }));
  for (;;) {
    const next = new URL(String(response.headers.get('location')), all.idp.issuer);
    if (next.href.startsWith(`${issuer}/sign-in/callback`)) return { ...all, back: next };
    response = await browser.request(next, 'GET');
  }
}

/** Signs in as somebody else, by the link on the page after a sign-out. */
export async function signInAgain(browser: CookieBrowser, signedOut: Seen, user: string): Promise<Seen> {
  const [, again = ''] = /href="([^"]+)">Sign in again/.exec(signedOut.text) ?? [];
  const seen = await login(browser, await browser.open(again.replaceAll('&#38;', '&')), user);
  // The provider ends the session of the user before.
  return seen.text.includes('/session/end/confirm') ? await browser.submit(seen, '/confirm') : seen;
}
