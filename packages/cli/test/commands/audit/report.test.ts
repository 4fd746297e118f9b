import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { auditFile } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser, chromium } from '../../browser.js';
import { runCli } from '../../run-cli.js';
import {
  changeLines,
  checkpointKey,
  decision,
  origin,
  outcome,
  refusedRequest,
  temporaryFolder,
  undecidedOutcome,
  writeLog,
} from './write-log.js';

/** Markup that would be visible if the page ran or rendered it. */
const hostile = [
  '</script><img src=x onerror="document.documentElement.dataset.owned=1">',
  '<!--<script>document.documentElement.dataset.owned=1</script>',
  '"><svg onload="document.documentElement.dataset.owned=1">',
  "' autofocus onfocus='document.documentElement.dataset.owned=1",
  '</style></title></textarea></noscript><script src="https://evil.example/x.js"></script>',
  '${document.documentElement.dataset.owned=1}&lt;b&gt;',
  'javascript:document.documentElement.dataset.owned=1',
];

const hostileEvents = hostile.flatMap((text, number) => [
  decision(number, {
    id: text,
    actor: { id: text, keyId: text },
    subject: { id: `for ${text}`, type: 'user' },
    chain: [
      { id: `for ${text}`, type: 'user', proof: 'issuer', issuer: text, scope: [text] },
      { id: text, type: 'agent', proof: 'signature', delegationId: text, scope: [text] },
    ],
    action: text,
    resource: { type: text, id: text },
    policies: [text],
    detail: text,
    request: { id: text, method: text, path: text, remoteAddress: text },
  }),
  refusedRequest(number, text),
]);

async function reportOn(directory: string, out: string, ...args: string[]): Promise<string> {
  const { code, err } = await runCli(['audit', 'report', directory, '--force', '--out', out, ...args]);
  expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('Report: ') as string });
  return readFileSync(out, 'utf8');
}

describe('audit report', () => {
  it('shows the verified part, counts everything, and draws chains', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const key = await writeLog(log, [
      decision(0),
      outcome(0, 'aborted'),
      decision(1, { decision: 'deny', code: 'policy_denied' }),
      refusedRequest(2),
      outcome(9),
    ]);
    const markup = await reportOn(log, folder.file('report.html'), '--key', key);
    expect(markup).toContain('✓ Verified');
    expect(markup).toMatch(/<b>acme\.dev\/audit\/1\/[\da-f]{8}<\/b>/);
    const counts = [...markup.matchAll(/<li class="(\w+)"><b>(\d+)<\/b>/g)].map(
      ([, name, count]) => `${name} ${count}`,
    );
    expect(counts).toEqual(['allowed 1', 'denied 1', 'refused 1', 'unfinished 1', 'open 0']);
    expect(markup).toContain(
      '5 records of requests, from <time>2026-11-24T11:00:00.000Z</time> to <time>2026-11-24T11:00:09.000Z</time>.',
    );
    expect(markup).toContain('<title>user_1 to agent-a: asserted by the issuer, 1 allowed, 1 denied</title>');
    expect(markup).toContain('<title>agent-a to pr.create: the action, 1 allowed, 1 denied</title>');
    if (process.platform !== 'win32') expect(statSync(folder.file('report.html')).mode & 0o777).toBe(0o600);
  });

  it('counts and lists what a guard that observes would have refused', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const would = { decision: 'would_refuse', code: 'policy_denied' } as const;
    await writeLog(log, [decision(0, would), outcome(0), { ...refusedRequest(1), decision: 'would_refuse' }]);
    const markup = await reportOn(log, folder.file('report.html'));
    expect(markup).toContain('<li class="observed"><b>2</b>');
    expect(markup).toContain('<li class="refused"><b>0</b>');
    expect(markup).toContain('<li class="open"><b>0</b>');
    expect(markup).toContain('value="observed" checked> would be refused');
  });

  it('warns when a log is wrong or was not verified, and exits with 3 when it is wrong', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const key = await writeLog(log, [decision(0), decision(1), decision(2)]);
    expect(await reportOn(log, folder.file('plain.html'))).toContain('? Not verified');
    changeLines(log, (lines) => [...lines.toSpliced(2, 1), 'no record']);
    const { code } = await runCli(['audit', 'report', log, '--key', key, '--out', folder.file('bad.html')]);
    expect(code).toBe(3);
    expect(readFileSync(folder.file('bad.html'), 'utf8')).toMatch(
      /✗ Verification failed.*<b>removed<\/b> Record 3 is missing\./s,
    );
    expect(readFileSync(folder.file('bad.html'), 'utf8')).toContain(
      'Lines of the log that are no records, and are left out: 1.',
    );
  });

  it('marks every unsealed record, and notes it once above the numbers', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const checkpointEvery = { records: 1000, seconds: 3600 };
    const marked = async () => {
      const key = readFileSync(folder.file('log/checkpoint.vkey'), 'utf8');
      await runCli(['audit', 'report', log, '--key', key, '--force', '--out', folder.file('r.html')]);
      const markup = readFileSync(folder.file('r.html'), 'utf8');
      const [, json = ''] = /id="data">(.*)<\/script>/.exec(markup) ?? [];
      const entries = JSON.parse(json) as { record: { id: string; unverified?: true } }[];
      const ids = entries.flatMap(({ record }) => (record.unverified ? [record.id] : [])).toReversed();
      return [ids, /Records 1 to \d+ are sealed\. Of the[^<]*/.exec(markup)?.[0]];
    };
    const [first, second] = [
      [0, 1, 2, 3, 4].map((number) => decision(number)),
      [5, 6, 7].map((number) => decision(number)),
    ];
    // Closing seals everything; later records are sealed after an interval.
    await writeLog(log, first, { checkpointEvery });
    const sink = auditFile(log, { origin, checkpointKey, checkpointEvery });
    for (const event of second) await sink.write(event);
    const caution = expect.stringMatching(
      /^Records 1 to \d+ are sealed\. Of the 8 records counted here, 3 are not verified and are marked “not verified”\.$/,
    ) as string;
    expect(await marked()).toEqual([['decision-5', 'decision-6', 'decision-7'], caution]);
    await sink.close?.();
    expect(await marked()).toEqual([[], undefined]);
    // The seal of the first five records is still valid.
    changeLines(log, (lines) => lines.map((line) => line.replace('"id":"decision-6"', '"id":"decision-X"')));
    expect(await marked()).toEqual([['decision-5', 'decision-X', 'decision-7'], caution]);
  });

  it('reports the cut tail when all segments are gone, or asks to verify the log [F6]', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const key = await writeLog(log, [decision(0), decision(1)]);
    cpSync(folder.file('log/checkpoints.txt'), folder.file('kept.checkpoints'));
    rmSync(folder.file('log/audit-000001.jsonl'));
    const run = async (...args: string[]) =>
      runCli(['audit', 'report', log, '--force', '--out', folder.file('report.html'), ...args]);
    const cutOff = async (...args: string[]) => {
      expect(await run('--key', key, ...args)).toMatchObject({ code: 3, out: '' });
      const markup = readFileSync(folder.file('report.html'), 'utf8');
      expect(markup).toMatch(/✗ Verification failed.*<b>cut_tail<\/b> Records 1 to \d+ were cut off the end\./s);
      expect(markup).toContain('0 records of requests.');
    };
    await cutOff();
    const gone = await run();
    expect(gone.err).toMatch(/the segments of the audit log in .* are gone, its checkpoints are not: verify it\n$/);
    expect(gone.code).toBe(1);
    rmSync(folder.file('log/checkpoints.txt'));
    await cutOff('--checkpoint', folder.file('kept.checkpoints'));
    expect((await run('--key', key)).err).toMatch(/there is no audit log in /);
  });

  it('uses the singular when there is one record', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const checkpointEvery = { records: 1000, seconds: 3600 };
    const sink = auditFile(log, { origin, checkpointKey, checkpointEvery });
    await sink.write(decision(0));
    const key = readFileSync(folder.file('log/checkpoint.vkey'), 'utf8');
    const markup = await reportOn(log, folder.file('report.html'), '--key', key);
    await sink.close?.();
    expect(markup).toContain('Record 1 is the one that the key has sealed.');
    expect(markup).toContain(
      'Record 1 is sealed. The one record counted here is not verified and is marked “not verified”.',
    );
    expect(markup).toContain('1 record of requests, from ');
  });

  it('marks no record when the log was not verified, and says so once', async () => {
    using folder = temporaryFolder();
    await writeLog(folder.file('log'), [decision(0)]);
    const markup = await reportOn(folder.file('log'), folder.file('report.html'));
    expect(markup).toContain('? Not verified');
    expect(markup).not.toContain('"unverified"');
    expect(markup).not.toContain('id="f-unverified"');
  });

  it('is readable only by its owner, also when it replaces a file', async () => {
    using folder = temporaryFolder();
    await writeLog(folder.file('log'), [decision(0)]);
    writeFileSync(folder.file('report.html'), 'longer than nothing', { mode: 0o644 });
    expect(await reportOn(folder.file('log'), folder.file('report.html'))).toMatch(/^<!doctype html>.*<\/html>\n$/s);
    if (process.platform !== 'win32') expect(statSync(folder.file('report.html')).mode & 0o777).toBe(0o600);
  });

  it('applies and shows the filters of query, and the number of records it only counts', async () => {
    using folder = temporaryFolder();
    await writeLog(folder.file('log'), [
      decision(0),
      ...Array.from({ length: 9 }, (_, at) => decision(at, { action: 'pr.merge' })),
    ]);
    const args = ['--action', 'pr.merge', '--latest', '4'];
    const markup = await reportOn(folder.file('log'), folder.file('report.html'), ...args);
    expect(markup).toContain('Only records with action pr.merge, and how');
    expect(markup).toContain('Listed are the latest 4 records. The 5 before them are only counted above.');
    expect(markup).not.toContain('pr.create');
    expect(markup.match(/"verdict":/g)).toHaveLength(4);
  });

  it('marks allowed requests without an outcome, also when a filter matches only decisions', async () => {
    using folder = temporaryFolder();
    await writeLog(folder.file('log'), [decision(0), decision(1), outcome(0)]);
    for (const args of [[], ['--action', 'pr.create']]) {
      const markup = await reportOn(folder.file('log'), folder.file('report.html'), ...args);
      expect(markup).toContain('<li class="open"><b>1</b>');
      expect(markup).toContain('3 records of requests');
      expect(markup.match(/"open":true/g)).toHaveLength(1);
    }
  });

  it.each([
    [['--latest', '0']],
    [['--latest', '100001']],
    [['--since', 'x']],
    [['--key', 'x']],
    [['--checkpoint', 'x']],
  ])('refuses %j', async (args) => {
    using folder = temporaryFolder();
    await writeLog(folder.file('log'), [decision(0)]);
    const { code, out } = await runCli([
      'audit',
      'report',
      folder.file('log'),
      '--out',
      folder.file('r.html'),
      ...args,
    ]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
  });

  it('counts and shows outcomes without a decision', async () => {
    using folder = temporaryFolder();
    await writeLog(folder.file('log'), [decision(0), outcome(0), undecidedOutcome(1), outcome(2)]);
    const markup = await reportOn(folder.file('log'), folder.file('report.html'));
    expect(markup).toMatch(/<li class="undecided"><b>1<\/b>.*let in without a decision/);
    expect(markup.match(/"verdict":"(\w+)"/g)).toEqual([
      '"verdict":"ended"',
      '"verdict":"undecided"',
      '"verdict":"allowed"',
    ]);
    expect(markup).toContain('value="undecided" checked');
    const only = await reportOn(folder.file('log'), folder.file('report.html'), '--undecided');
    expect(only).toContain('Only records with undecided, and how');
    expect(only.match(/"verdict":"(\w+)"/g)).toEqual(['"verdict":"undecided"']);
    const none = await reportOn(folder.file('log'), folder.file('report.html'), '--action', 'pr.create');
    expect(none).not.toContain('<li class="undecided">');
  });

  it('distinguishes approved requests from allowed ones', async () => {
    using folder = temporaryFolder();
    const approvers = [{ id: 'maria@acme.dev', groups: ['release-managers'], decidedAt: 1 }];
    const approval = { binding: 'b'.repeat(43), id: 'approval-1', approvers };
    await writeLog(folder.file('log'), [decision(0), Object.assign(decision(1), { approval })]);
    const markup = await reportOn(folder.file('log'), folder.file('report.html'));
    expect(markup).toMatch(/<li class="allowed"><b>1<\/b>.*<li class="approved"><b>1<\/b>/s);
    expect(markup).toContain('"approvedBy":"maria@acme.dev","approval":"approval-1"');
    const { out } = await runCli(['audit', 'query', folder.file('log')]);
    expect(out).toMatch(
      /allow approved +agent-a for user_1 +pr\.create Repo::"acme\/api" +by pulls\.cedar#reviewers, approved by maria@acme\.dev$/m,
    );
  });

  it('lets nothing of a record become markup [F1]', async () => {
    using folder = temporaryFolder();
    await writeLog(folder.file('log'), [...hostileEvents, decision(99, { action: 'bidi \u202e and \u001b[2J' })]);
    const markup = await reportOn(folder.file('log'), folder.file('report.html'));
    // All brackets in it are ours.
    expect(markup.match(/<(?:img|!--|iframe)/g)).toBeNull();
    expect(markup.match(/<script/g)).toHaveLength(2);
    expect(markup.match(/<\/script/g)).toHaveLength(2);
    expect(markup.match(/<svg[^>]*>/g)?.every((tag) => !tag.includes('onload'))).toBe(true);
    expect(markup).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(markup).not.toMatch(/(?:src|href|action)="?(?:https?:|\/\/|data:)/);
  });
});

const rows = 'document.querySelectorAll("#list tbody tr:not(.details)").length';
/** Types into a field. */
function set(id: string, value: string): string {
  return `{ const field = document.getElementById(${JSON.stringify(id)}); field.value = ${JSON.stringify(value)};
    field.dispatchEvent(new Event('input', { bubbles: true })); }`;
}

if (chromium === undefined) {
  console.warn('NOT RUN: the audit report was not opened in a browser, because there is no Chromium on this machine.');
}

describe.runIf(chromium !== undefined)('audit report in Chromium', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.open(chromium ?? '');
  }, 60_000);
  afterAll(() => browser[Symbol.asyncDispose]());

  async function open(events: Parameters<typeof writeLog>[1]): Promise<void> {
    using folder = temporaryFolder();
    const key = await writeLog(folder.file('log'), events);
    await reportOn(folder.file('log'), folder.file('report.html'), '--key', key);
    await browser.look(1280, 'light');
    await browser.goto(folder.file('report.html'));
  }

  it('shows a hostile record as text, runs no script and sends no request [F1]', async () => {
    await open(hostileEvents);
    await browser.evaluate('for (const button of document.querySelectorAll("#list button")) button.click()');
    await browser.evaluate('document.querySelector("details.chains").open = true');
    expect(await browser.evaluate('document.documentElement.dataset.owned ?? "nobody"')).toBe('nobody');
    expect(
      await browser.evaluate(
        'document.querySelectorAll("img, iframe, script[src], [onload], [onerror], [onfocus]").length',
      ),
    ).toBe(0);
    // Every row is present, so our own script finished.
    expect(await browser.evaluate(rows)).toBe(hostileEvents.length);
    const text = String(await browser.evaluate('document.body.textContent'));
    for (const one of hostile) expect(text).toContain(one);
    expect(browser.events('Runtime.exceptionThrown')).toEqual([]);
    const asked = browser
      .events('Network.requestWillBeSent')
      .map((event) => (event as { request: { url: string } }).request.url);
    expect(asked.filter((url) => !url.startsWith('file:') && !url.startsWith('data:image/svg+xml'))).toEqual([]);
  });

  it('blocks an injected script by its content security policy [F1]', async () => {
    await open([decision(0)]);
    await browser.evaluate(`{ const script = document.createElement('script');
      script.textContent = 'document.documentElement.dataset.owned = 1'; document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="document.documentElement.dataset.owned=1">'); }`);
    await browser.evaluate('new Promise((done) => setTimeout(done, 100))');
    expect(await browser.evaluate('document.documentElement.dataset.owned ?? "nobody"')).toBe('nobody');
    expect(JSON.stringify(browser.events('Log.entryAdded'))).toContain('Content Security Policy');
  });

  it('filters without a server, by mouse and by keyboard', async () => {
    await open([
      decision(0),
      outcome(0),
      decision(1, { decision: 'deny', code: 'policy_denied' }),
      decision(2, { action: 'pr.merge' }),
      refusedRequest(3),
    ]);
    expect(await browser.evaluate(rows)).toBe(4);
    await browser.evaluate(set('f-action', 'pr.merge'));
    expect(await browser.evaluate(rows)).toBe(1);
    await browser.evaluate(
      'document.querySelector("[type=reset]").click(); new Promise((done) => setTimeout(done, 50))',
    );
    expect(await browser.evaluate(rows)).toBe(4);
    await browser.evaluate(set('f-resource', 'Repo::"acme/api"'));
    expect(await browser.evaluate(rows)).toBe(3);
    await browser.evaluate(set('f-resource', ''));
    await browser.evaluate(set('f-text', 'POLICY_denied agent-a'));
    expect(await browser.evaluate(rows)).toBe(1);
    await browser.evaluate(set('f-text', ''));
    await browser.evaluate(set('f-from', '2026-11-24T11:00:01') + set('f-until', '2026-11-24T11:00:03'));
    expect(await browser.evaluate(rows)).toBe(2);
    await browser.evaluate(set('f-from', '') + set('f-until', ''));
    await browser.evaluate('document.querySelector("#f-open").click()');
    expect(await browser.evaluate(rows)).toBe(1);
    expect(await browser.evaluate('document.querySelector("#list tbody").textContent')).toContain('no outcome');
    await browser.evaluate('document.querySelector("#f-open").click()');
    await browser.evaluate('document.querySelector("[value=refused]").click()');
    expect(await browser.evaluate(rows)).toBe(3);
    await browser.evaluate('document.querySelector("#list button").focus()');
    await browser.press('Enter');
    expect(await browser.evaluate('document.querySelector("#list button").getAttribute("aria-expanded")')).toBe('true');
    expect(await browser.evaluate('document.querySelector("tr.details").textContent')).toContain(
      'agent-a (agent, asserted by https://id.acme.dev)',
    );
    await browser.press('Tab');
    expect(await browser.evaluate('document.activeElement.textContent')).toBe('4');
  });

  it('marks unsealed entries in words, and filters for them', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const key = await writeLog(log, [decision(0), outcome(0), decision(1)]);
    changeLines(log, (lines) => lines.map((line) => line.replace('"id":"outcome-0"', '"id":"outcome-X"')));
    await runCli(['audit', 'report', log, '--key', key, '--force', '--out', folder.file('r.html')]);
    await browser.look(1280, 'light');
    await browser.goto(folder.file('r.html'));
    const text = async () => String(await browser.evaluate('document.querySelector("#list tbody").innerText'));
    expect((await text()).match(/⚠ not verified/g)).toHaveLength(2);
    expect((await text()).match(/finished 201\s+⚠ end not verified/g)).toHaveLength(1);
    await browser.evaluate('document.querySelector("#f-unverified").click()');
    expect(await browser.evaluate(rows)).toBe(2);
  });

  it('shows the time of the reader beside UTC, and nothing where that is UTC', async () => {
    const times = `[...document.querySelectorAll('#list tbody tr td:nth-child(2)')].map((cell) => cell.textContent)`;
    await browser.send('Emulation.setTimezoneOverride', { timezoneId: 'Asia/Kolkata' });
    await open([decision(0)]);
    expect(await browser.evaluate(times)).toEqual([
      expect.stringMatching(/^2026-11-24T11:00:00\.000Z .*4:30:00.*5:30 $/),
    ]);
    expect(await browser.evaluate('document.querySelector(".about").textContent')).toMatch(/Z \(.*5:30\)$/);
    await browser.send('Emulation.setTimezoneOverride', { timezoneId: 'UTC' });
    await open([decision(0)]);
    expect(await browser.evaluate(times)).toEqual(['2026-11-24T11:00:00.000Z ']);
  });

  it('labels its content in words, and is readable with forced colours', async () => {
    await open([decision(0), outcome(0), decision(1, { decision: 'deny', code: 'policy_denied' })]);
    await browser.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
    expect(
      await browser.evaluate(
        '[...document.querySelectorAll("table")].map((table) => [table.caption.textContent, table.tHead.rows[0].cells.length])',
      ),
    ).toEqual([
      ['Decisions in each 1 second', 3],
      ['Chains, the most frequent first', 4],
      ['Requests, the latest first', 6],
    ]);
    expect(
      await browser.evaluate(
        '[...document.querySelectorAll("input, select")].filter((field) => !field.labels[0]?.textContent.trim()).length',
      ),
    ).toBe(0);
    expect(await browser.evaluate('document.querySelectorAll("[value=approved], .approved").length')).toBe(0);
    await browser.send('Emulation.setEmulatedMedia', { features: [{ name: 'forced-colors', value: 'active' }] });
    expect(
      await browser.evaluate(`[...document.querySelectorAll('svg .bar-allowed, svg .node text')].every((shape) =>
        getComputedStyle(shape).fill !== getComputedStyle(document.body).backgroundColor)`),
    ).toBe(true);
  });

  it.each([
    [1280, 'light'],
    [390, 'dark'],
  ] as const)('fits %i px (%s): text that can be read, and nothing beside the page', async (width, scheme) => {
    await open([...hostileEvents, decision(50), refusedRequest(51)]);
    await browser.look(width, scheme);
    expect(await browser.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    // A stretched hatching looks like a solid bar.
    expect(
      await browser.evaluate(`(() => { const { a, b, c, d } = document.querySelector('.bar-denied').getScreenCTM();
        return [a, b, c, d]; })()`),
    ).toEqual([1, 0, 0, 1]);
    expect(
      await browser.evaluate(`(() => { const outer = document.querySelector('.timeline svg').getBoundingClientRect();
        return [...document.querySelectorAll('.timeline rect[x]')].map((bar) => bar.getBoundingClientRect()).every(
          ({ left, right, top, bottom }) => left >= outer.left && right <= outer.right && top >= outer.top && bottom <= outer.bottom); })()`),
    ).toBe(true);
    // The graph fits, or its list is there instead, and fits.
    await browser.evaluate(
      'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))',
    );
    expect(
      await browser.evaluate(`(() => { const fits = (part) => part.checkVisibility() && part.scrollWidth <= part.clientWidth;
        return [fits(document.querySelector('.graph')), fits(document.querySelector('.chains .scroll'))]; })()`),
    ).toEqual([width > 720, width < 720]);
    // WCAG 2: a contrast of 4.5 to 1 for each text colour on each of its backgrounds.
    const worst = await browser.evaluate(`(() => {
      const light = (rgb) => rgb.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
        .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
      const ground = (element) => { const colour = getComputedStyle(element).backgroundColor;
        return colour === 'rgba(0, 0, 0, 0)' && element.parentElement ? ground(element.parentElement) : colour; };
      return Math.min(...[...document.querySelectorAll('body *:not(svg *, script, style, noscript, option)')].map((element) => {
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }));
    })()`);
    expect(worst).toBeGreaterThanOrEqual(4.5);
  });
});

it('the script of the page parses in Node', () => {
  const script = fileURLToPath(new URL('../../../src/report/client.js', import.meta.url));
  execFileSync(process.execPath, ['--check', script]);
});
