import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { check, hasChromium, launch, looks } from '../support/chromium.js';
import { type AgentKey, post } from '../support/client.js';
import { authorizeUrl, type Changes, type CodeAnswer, newPkce, redeem, startPages } from '../support/pages.js';

const details = JSON.stringify([
  { type: 'Invoice', identifier: '4711', actions: ['invoice.read', 'invoice.list'] },
  { type: 'Repo', identifier: 'acme/a-repository-whose-name-is-longer-than-a-narrow-page-is-wide' },
]);

/** The page of an agent, to which users go back; it shows nothing. */
async function agentSite(): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<title>agent</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
  });

  async function world(options: Parameters<Browser['newContext']>[0] = {}) {
    const { running, key } = await startPages();
    const site = await agentSite();
    const redirectUri = `${site}/callback`;
    await running.authority.agents.update('agent-a', { redirectUris: [redirectUri] });
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    await context.addCookies([{ name: 'user', value: 'user%3Aalice', url: running.issuer }]);
    const complaints: string[] = [];
    const page = await context.newPage();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    const ask = (challenge: string, changes: Changes = {}) =>
      authorizeUrl(running.issuer, challenge, { redirect_uri: redirectUri, ...changes });
    return { running, key, site, redirectUri, context, page, ask, complaints };
  }

  it('a user allows less than was asked for, and ends it on their page', async () => {
    const { running, key, redirectUri, page, ask, complaints } = await world();
    const pkce = newPkce();
    await page.goto(ask(pkce.challenge, { authorization_details: details }));
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Invoice agent asks to act for you');
    await page.getByLabel('pr:write:draft').uncheck();
    await page.getByLabel('For how long').selectOption('5 minutes');
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.waitForURL(`${redirectUri}?**`);
    const answer = new URL(page.url()).searchParams;
    expect(answer.get('state')).toBe('state-of-the-agent');
    const token = await redeemAt(running, key, String(answer.get('code')), pkce, redirectUri);
    expect(token).toMatchObject({ scope: 'invoice:read', expires_in: expect.any(Number) as number });
    const isActive = async () =>
      await (await post(running, '/introspect', 'agent-a', key, { token: token.access_token })).json();
    expect(await isActive()).toMatchObject({ active: true });

    await page.goto(`${running.issuer}/delegations`);
    await page.getByRole('button', { name: 'End this: Invoice agent' }).click();
    await page.getByRole('status').waitFor();
    expect(await page.getByText('No agent acts for you now.').isVisible()).toBe(true);
    expect(await isActive()).toEqual({ active: false });
    expect(complaints.filter((text) => !text.includes('favicon'))).toEqual([]);
  });

  it('a user who uses only the keyboard does not allow by pressing Enter in a field', async () => {
    const { redirectUri, page, ask } = await world();
    await page.goto(ask(newPkce().challenge));
    await page.getByLabel('invoice:read').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(`${redirectUri}?**`);
    expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied');
  });

  it('another site can neither frame the pages nor send their forms [O2, O3]', async () => {
    const { running, site, page, ask, context } = await world();
    await page.goto(site);
    for (const url of [ask(newPkce().challenge), `${running.issuer}/delegations`]) {
      await page.setContent(`<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`);
      expect(page.frames().map((frame) => frame.url())).toContain('chrome-error://chromewebdata/');
    }

    // A question of this very user: only the site is another. Both are 127.0.0.1, so the cookie is sent.
    const other = await context.newPage();
    await other.goto(ask(newPkce().challenge));
    const ticket = await other.locator('input[name=ticket]').inputValue();
    await page.goto(site);
    const fields = Object.entries({ ticket, scope: 'invoice:read', seconds: '300', uses: '', decision: 'allow' });
    await page.setContent(
      `<form method="post" action="${running.issuer}/consent">${fields
        .map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)
        .join('')}<button>Win a prize</button></form>`,
    );
    const answered = page.waitForResponse(`${running.issuer}/consent`);
    await page.getByRole('button').click();
    expect((await answered).status()).toBe(403);
    expect(await running.authority.delegations.listOf('user:alice')).toEqual([]);
  });

  it('a script that gets into a page does not run [O3]', async () => {
    const { page, ask } = await world();
    await page.goto(ask(newPkce().challenge));
    const ran = await page.evaluate(`
      const script = document.createElement('script');
      script.textContent = 'document.title = "ran"';
      document.body.append(script);
      document.title`);
    expect(ran).toBe('Invoice agent asks to act for you');
  });

  it.each(looks)('the pages are accessible and fit when they are %s', async (name, options) => {
    const { running, key, redirectUri, page, ask } = await world(options);
    const pkce = newPkce();
    await page.goto(ask(pkce.challenge, { authorization_details: details, max_uses: '5' }));
    await check(page, `consent ${name}`);
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.waitForURL(`${redirectUri}?**`);
    await redeemAt(running, key, String(new URL(page.url()).searchParams.get('code')), pkce, redirectUri);
    await page.goto(`${running.issuer}/delegations?ended`);
    await check(page, `delegations ${name}`);
    await page.goto(ask(pkce.challenge, { client_id: 'agent-x' }));
    await check(page, `message ${name}`);
  });
});

async function redeemAt(
  running: Parameters<typeof redeem>[0],
  key: AgentKey,
  code: string,
  pkce: Parameters<typeof redeem>[3],
  redirectUri: string,
): Promise<CodeAnswer> {
  return (await (await redeem(running, key, code, pkce, { redirect_uri: redirectUri })).json()) as CodeAnswer;
}
