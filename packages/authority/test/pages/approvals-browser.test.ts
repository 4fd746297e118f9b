import { argumentsDigest } from '@countersign/approval';
import { computeContentDigest } from '@countersign/signature';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { needs, requestOf, startApprovals } from '../support/approvals.js';
import { check, hasChromium, launch, looks } from '../support/chromium.js';

const given = {
  title: 'Fix the flaky test',
  body: `First line\n${'A long explanation that nobody can read at once. '.repeat(30)}`,
  squash: true,
  labels: ['bug', 'ci'],
};
const call = {
  ...requestOf(),
  http: { method: 'POST', authority: 'api.acme.dev', path: '/mcp', fields: { 'content-type': 'application/json' } },
  call: { method: 'tools/call', name: 'merge_pull_request', argumentsDigest: String(argumentsDigest(given)) },
};

describe.skipIf(!hasChromium)('the pages of approvers in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
  });

  async function world(options: Parameters<Browser['newContext']>[0] = {}) {
    const approvals = await startApprovals({ breakGlass: ['user:rita'] });
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    await context.addCookies([{ name: 'user', value: 'user%3Arita', url: approvals.running.issuer }]);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    return { ...approvals, page, complaints, inbox: `${approvals.running.issuer}/approvals` };
  }

  it('a person approves with the keyboard alone', async () => {
    const { ask, poll, page, inbox, complaints } = await world();
    const id = await ask(call, { arguments: given });
    await page.goto(inbox);
    await page.getByRole('link', { name: 'pr.merge on Repo acme/api' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(`${inbox}/${id}`);
    // The folded value opens by the keyboard, and hides no other.
    expect(await page.getByText('squash').isVisible()).toBe(true);
    await page.locator('summary').first().focus();
    await page.keyboard.press('Enter');
    expect(await page.getByText('First line').last().isVisible()).toBe(true);
    await page.getByLabel('Reason', { exact: true }).focus();
    await page.keyboard.type('Read the diff');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').textContent()).toBe('Approve');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${inbox}/${id}?done`);
    expect(await page.getByRole('status').textContent()).toBe('Your decision is recorded.');
    expect((await poll(id))['status']).toBe('approved');
    expect(complaints).toEqual([]);
  });

  it('a reason that is needed is asked for before anything is sent, and not for a denial', async () => {
    const { ask, poll, page, inbox } = await world();
    const id = await ask(needs(1, { reason: 'required' }));
    await page.goto(`${inbox}/${id}`);
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    expect(page.url()).toBe(`${inbox}/${id}`);
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.waitForURL(`${inbox}/${id}?done`);
    expect(await poll(id)).toEqual({ status: 'denied' });
  });

  it('a request is not decided in a frame of another site [O3]', async () => {
    const { ask, page, inbox } = await world();
    const id = await ask();
    await page.goto('about:blank');
    await page.setContent(`<iframe src="${inbox}/${id}"></iframe>`);
    expect(page.frames().map((frame) => frame.url())).toContain('chrome-error://chromewebdata/');
  });

  it.each(looks)('the pages are accessible and fit when they are %s', async (name, options) => {
    const { ask, page, inbox } = await world(options);
    const id = await ask(
      { ...call, ...needs(2, { excluded: ['owner'] }) },
      { arguments: given, why: 'All checks are green' },
    );
    await ask({ action: 'invoice.pay', resource: { type: 'Invoice', id: 'a-very-long-identifier-'.repeat(6) } });
    await page.goto(inbox);
    await check(page, `inbox ${name}`);
    await page.goto(`${inbox}/${id}`);
    await check(page, `approval ${name}`);
    await page.locator('summary', { hasText: 'Emergency' }).click();
    await page.locator('#emergency').fill('Production is down');
    await check(page, `emergency ${name}`);
    await page.getByRole('button', { name: 'Approve in an emergency' }).click();
    await page.waitForURL(`${inbox}/${id}?done`);
    await check(page, `decided ${name}`);
    await page.goto(`${inbox}/history`);
    await check(page, `history ${name}`);
    await page.goto(`${inbox}/unknown`);
    await check(page, `nothing ${name}`);
  });

  it.each(looks)('how a body is read is accessible and fits when the page is %s [C13]', async (name, options) => {
    const { ask, page, inbox } = await world(options);
    const form = 'application/x-www-form-urlencoded';
    for (const [what, type, body] of [
      ['form', form, 'to=mall%6fry&amount=9%2C999&none='],
      ['other charset', 'application/json; charset=utf-7', '{"to":"alice","reference":"+ACIALAAi-"}'],
      ['ambiguous form', form, '{"to":"alice","reference":"r1&%74%6f=mallory&z="}'],
      ['no type', undefined, 'to: alice\nto: mallory'],
      ['bytes', 'application/octet-stream', Buffer.from([0, 255, 254])],
    ] as const) {
      const fields = type === undefined ? {} : { 'content-type': type };
      const contentDigest = computeContentDigest(Buffer.from(body));
      const shown = typeof body === 'string' ? { text: body } : { base64: body.toString('base64') };
      const id = await ask({ http: { ...requestOf().http!, fields, contentDigest } }, shown);
      await page.goto(`${inbox}/${id}`);
      expect(await page.locator('.alarm:visible').count()).toBe(what === 'form' ? 0 : 1);
      await check(page, `${what} ${name}`);
    }
  });
});
