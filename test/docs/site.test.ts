import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, extname, join } from 'node:path';
import { refusalPages } from '@countersign/common';
import { refusalCodes } from '@countersign/core';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { findChromium } from '../support/chromium.js';
import { patiently } from '../support/patiently.js';
import { reportMissing } from '../support/required.js';
import { publishedPackages, root } from '../support/workspace.js';

const built = join(root, 'site/.vitepress/dist');
const base = new URL('../', refusalPages).pathname;
const isBuilt =
  existsSync(join(built, 'index.html')) ||
  reportMissing(
    'site',
    'The site of the documentation is not built: its tests are skipped. `pnpm docs:build` does.',
  ) !== undefined;

/** The file that a static server sends for a path of the site. */
function fileOf(path: string): string | undefined {
  const name = decodeURIComponent(path.slice(base.length).replace(/[?#].*/, ''));
  return [name, `${name}.html`, join(name, 'index.html')].find(
    (one) => extname(one) !== '' && existsSync(join(built, one)),
  );
}

describe.skipIf(!isBuilt)('the site of the documentation', () => {
  it('has a page for the type of each refusal', () => {
    const missing = refusalCodes.filter((code) => fileOf(new URL(`${refusalPages}${code}`).pathname) === undefined);
    expect(missing).toEqual([]);
  });

  // The build checks the links of texts; these are in menus, too.
  it('has no link that leads nowhere', () => {
    const pages = readdirSync(built, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
    expect(pages.length).toBeGreaterThan(150);
    const dead = pages.flatMap((page) =>
      [...readFileSync(join(built, page), 'utf8').matchAll(/<a [^>]*?href="([^"]+)"/g)]
        .map(([, href = '']) => href)
        .filter((href) => href.startsWith('/') && (!href.startsWith(base) || fileOf(href) === undefined))
        .map((href) => `${page}: ${href}`),
    );
    expect([...new Set(dead)]).toEqual([]);
  });

  it('has the API of every package that applications or tools import', () => {
    const internal = ['cli', 'common', 'pdp', 'stores'];
    const packages = publishedPackages().map(({ folder }) => basename(folder));
    const missing = packages.filter((name) => fileOf(`${base}api/@countersign/${name}`) === undefined);
    expect(missing).toEqual(internal);
  });

  it('lists its pages for language models, and has them as Markdown', () => {
    const list = readFileSync(join(built, 'llms.txt'), 'utf8');
    expect(list).toContain('quickstart.md');
    expect(readFileSync(join(built, 'quickstart.md'), 'utf8')).toContain('createGuard({');
    expect(existsSync(join(built, 'llms-full.txt'))).toBe(true);
  });
});

const executablePath = isBuilt ? findChromium() : undefined;
/** A folder for pictures of the pages, to be looked at. */
const pictures = process.env['COUNTERSIGN_PICTURES'];
const looks = [
  ['light', { colorScheme: 'light', viewport: { width: 1440, height: 900 } }],
  ['dark and narrow', { colorScheme: 'dark', viewport: { width: 360, height: 740 } }],
] as const;
const pages = [
  '',
  'introduction',
  'quickstart',
  'guides/policy',
  'reference/options',
  'refusals/',
  'refusals/signature_incomplete',
  'decisions/',
  'api/@countersign/express',
];
// The label of the search is its name; the keys beside it are none.
const run = "axe.run({ rules: { 'label-content-name-mismatch': { enabled: false } } })";
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

describe.skipIf(executablePath === undefined)('the site in Chromium', () => {
  let server: Server;
  let browser: Browser;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const file = fileOf(request.url ?? '');
      if (file === undefined) return void response.writeHead(404).end();
      readFile(join(built, file)).then(
        (content) => response.setHeader('content-type', types[extname(file)] ?? 'text/plain').end(content),
        (error: unknown) => response.destroy(error as Error),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await chromium.launch({
      ...(executablePath !== undefined && { executablePath }),
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  async function open(path: string, look: (typeof looks)[number][1]): Promise<Page> {
    const context = await browser.newContext({ ...look, reducedMotion: 'reduce' });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${base}${path}`);
    await page.waitForLoadState('networkidle');
    return page;
  }

  describe.each(looks)('%s', (name, look) => {
    it.each(pages)('/%s has enough contrast, names for all controls, and fits the window', async (path) => {
      const page = await open(path, look);
      if (pictures !== undefined) {
        await page.screenshot({ path: join(pictures, `${name} ${path}`.replaceAll(/\W+/g, '-').concat('.png')) });
      }
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate<AxeResults>(run);
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
      const wider = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect(wider).toBeLessThanOrEqual(0);
    });
  });

  it('is used by keyboard: skip to the content, search, open what was found', async () => {
    const page = await open('', looks[0][1]);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Skip to content');
    // The page listens to keys once its script runs.
    await vi.waitFor(async () => {
      await page.keyboard.press('Control+k');
      await page.locator('#localsearch-input').waitFor({ timeout: 3000 });
    }, patiently);
    await page.locator('#localsearch-input').fill('signature_incomplete');
    await page.locator('#localsearch-list a').first().waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/refusals/);
    const heading = page.locator('h1').filter({ hasText: /signature_incomplete|Refusals/ });
    await heading.waitFor();
  });

  it('opens its menu on a narrow screen by keyboard', async () => {
    const page = await open('quickstart', looks[1][1]);
    await vi.waitFor(async () => {
      await page.locator('.VPLocalNav button.menu').focus();
      await page.keyboard.press('Enter');
      await page.locator('.VPSidebar.open').waitFor({ timeout: 500 });
    }, patiently);
    expect(await page.locator('.VPSidebar.open a').first().isVisible()).toBe(true);
  });
});
