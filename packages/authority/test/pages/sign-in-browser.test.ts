import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../../../../test/support/self-signed.js';
import { check, hasChromium, launch, looks } from '../support/chromium.js';
import { authorizeUrl, newPkce } from '../support/pages.js';
import { world } from '../support/sign-in.js';

async function login(page: Page, user: string): Promise<void> {
  await page.getByLabel('Name').fill(user);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

describe.skipIf(!hasChromium)('in Chromium, with the provider of a team', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
  });

  /** An authority behind TLS, as in production. */
  async function started(options: Parameters<Browser['newContext']>[0] = {}) {
    let listener: Awaited<ReturnType<typeof world>>['running']['authority']['listener'] | undefined;
    const server = createServer(selfSigned(), (request, response) => listener?.(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
    const all = await world({ issuer });
    listener = all.running.authority.listener;
    const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    return { ...all, issuer, context, page };
  }

  it('a user signs in, answers the question of an agent, and signs out', async () => {
    const { issuer, page, context, running } = await started();
    const asked = authorizeUrl(issuer, newPkce().challenge);
    await page.goto(asked);
    await login(page, 'alice');
    await page.waitForURL(asked);
    const cookies = await context.cookies(issuer);
    expect(cookies).toEqual([
      expect.objectContaining({ name: '__Host-countersign-session', secure: true, httpOnly: true, sameSite: 'Lax' }),
    ]);
    expect(await page.evaluate('document.cookie')).toBe('');
    // The agent is at an address that does not answer here.
    await page.route('https://agent.acme.dev/**', (route) => route.fulfill({ body: 'the agent' }));
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.waitForURL('https://agent.acme.dev/**');
    expect(await running.authority.delegations.listOf('acme:alice')).toHaveLength(1);

    await page.goto(`${issuer}/delegations`);
    expect(await page.getByRole('heading', { level: 2 }).textContent()).toBe('Invoice agent');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    expect(await context.cookies(issuer)).toEqual([]);
  });

  it('another site can neither sign a user out nor have a form of theirs sent [O2, P3]', async () => {
    const { issuer, page, idp, context } = await started();
    await page.goto(`${issuer}/delegations`);
    await login(page, 'alice');
    const form = page.locator('form[action$="/sign-out"] input[name=ticket]');
    const ticket = await form.inputValue();
    const other = await context.newPage();
    await other.goto(`${idp.issuer}/jwks`);
    await other.setContent(
      `<form method="post" action="${issuer}/sign-out"><input type="hidden" name="ticket" value="${ticket}"><button>Win</button></form>`,
    );
    const answered = other.waitForResponse(`${issuer}/sign-out`);
    await other.getByRole('button').click();
    expect((await answered).status()).toBe(403);
    await page.reload();
    expect(await page.getByText('alice@acme.dev').isVisible()).toBe(true);
  });

  it.each(looks)('the pages are accessible and fit when they are %s', async (name, options) => {
    const { issuer, page } = await started(options);
    await page.goto(authorizeUrl(issuer, newPkce().challenge));
    await login(page, 'alice');
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    await check(page, `consent with sign-out ${name}`);
    await page.goto(`${issuer}/delegations`);
    await check(page, `delegations with sign-out ${name}`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('link', { name: 'Sign in again' }).waitFor();
    await check(page, `signed out ${name}`);
    await page.goto(`${issuer}/sign-in/callback?state=x`);
    await check(page, `sign-in refused ${name}`);
  });
});
