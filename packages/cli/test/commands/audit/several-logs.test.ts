import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../run-cli.js';
import { changeLines, decision, temporaryFolder, writeLog } from './write-log.js';

// The logs of two processes, with one origin and one key, in a folder.
const template = temporaryFolder();
let keys: string;

beforeAll(async () => {
  const written = [];
  for (const slot of ['0', '1']) {
    const events = [0, 1, 2].map((number) => decision(2 * number + Number(slot)));
    written.push(await writeLog(template.file(`audit/${slot}`), events, { clock: () => Date.UTC(2026, 10, 24, 11) }));
  }
  keys = template.file('keys.vkey');
  writeFileSync(keys, `${written.join('\n')}\n`);
});
afterAll(() => template[Symbol.dispose]());

function copy(): { readonly path: string; log(slot: string): string } & Disposable {
  const folder = temporaryFolder();
  cpSync(template.file('audit'), folder.file('audit'), { recursive: true });
  return {
    path: folder.file('audit'),
    log: (slot) => folder.file(`audit/${slot}`),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

const idsIn = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly id?: string }).id ?? '')
    .filter((id) => id.startsWith('decision-'));
const byTime = [0, 1, 2, 3, 4, 5].map((number) => `decision-${number}`);

describe('a folder of logs', () => {
  it('is verified log by log, each with its own key', async () => {
    const { code, out } = await runCli(['audit', 'verify', template.file('audit'), '--key', keys]);
    expect([code, out.match(/^(?:0|1|The log is whole)/gm)]).toEqual([
      0,
      ['0', 'The log is whole', '1', 'The log is whole'],
    ]);
    const own = await runCli(['audit', 'verify', template.file('audit')]);
    expect([own.code, own.err.match(/Without --key/g)]).toEqual([0, ['Without --key']]);
    const json = JSON.parse((await runCli(['audit', 'verify', template.file('audit'), '--key', keys, '--json'])).out);
    expect(json).toMatchObject({ trusted: true, problems: [], logs: [{ name: '0', trusted: true }, { name: '1' }] });
  });

  it('may hold links to logs that are elsewhere', async () => {
    using folder = temporaryFolder();
    for (const slot of ['0', '1']) symlinkSync(template.file(`audit/${slot}`), folder.file(slot));
    const { code, out } = await runCli(['audit', 'verify', folder.file('.'), '--key', keys]);
    expect([code, out.match(/The log is whole/g)]).toEqual([0, ['The log is whole', 'The log is whole']]);
  });

  it.each<[string, (logs: ReturnType<typeof copy>) => void, RegExp]>([
    [
      'a record was changed',
      (logs) => changeLines(logs.log('1'), (lines) => lines.with(1, lines[1]!.replace('allow', 'deny_'))),
      /NOT as it was written/,
    ],
    [
      'a log is missing',
      (logs) => rmSync(logs.log('0'), { recursive: true }),
      /The log acme\.dev\/audit\/1\/\w{8}, whose key was given, is not there/,
    ],
    ['the segments of a log are missing', (logs) => changeLines(logs.log('0'), () => []), /NOT as it was written/],
    [
      'a log has taken the place of another',
      (logs) => {
        rmSync(logs.log('0'), { recursive: true });
        cpSync(logs.log('1'), logs.log('0'), { recursive: true });
      },
      /0 and 1 hold the same log/,
    ],
    [
      'a log is there twice',
      (logs) => cpSync(logs.log('1'), logs.log('2'), { recursive: true }),
      /1 and 2 hold the same log/,
    ],
  ])('is not right when %s', async (_, change, message) => {
    using logs = copy();
    change(logs);
    const { code, out } = await runCli(['audit', 'verify', logs.path, '--key', keys]);
    expect(code).toBe(3);
    expect(out).toMatch(message);
  });

  it('is not right when a log is there that has no key among those given', async () => {
    using logs = copy();
    await writeLog(logs.log('stray'), [decision(9)]);
    const { code, out } = await runCli(['audit', 'verify', logs.path, '--key', keys]);
    expect([code, out]).toEqual([3, expect.stringContaining('--key holds no key of this log, acme.dev/audit/1/')]);
    const first = readFileSync(keys, 'utf8').split('\n')[0] ?? '';
    const one = await runCli(['audit', 'verify', template.file('audit'), '--key', first]);
    expect([one.code, one.out]).toEqual([3, expect.stringContaining('--key holds no key of this log')]);
  });

  it('is queried and tailed as one log, by time', async () => {
    const queried = await runCli(['audit', 'query', template.file('audit'), '--json']);
    expect(idsIn(queried.out)).toEqual(byTime);
    const rows = await runCli(['audit', 'query', template.file('audit'), '--phase', 'decision']);
    expect(
      rows.out
        .split('\n')
        .slice(1, 7)
        .map((row) => row[0]),
    ).toEqual(['0', '1', '0', '1', '0', '1']);
    const tailed = await runCli([
      'audit',
      'tail',
      template.file('audit'),
      '--json',
      '--phase',
      'decision',
      '-n',
      '100',
    ]);
    expect(idsIn(tailed.out)).toEqual(byTime);
  });

  it('is tailed from the last records of all', async () => {
    using logs = temporaryFolder();
    await writeLog(logs.file('old'), [decision(0), decision(1)]);
    await writeLog(logs.file('new'), [decision(2), decision(3)]);
    const { out } = await runCli(['audit', 'tail', logs.path, '--json', '-n', '7']);
    expect(out.trim().split('\n')).toHaveLength(7);
  });

  it.each(['.', 'old', 'old/2025'])('is read with a log that was begun before, in %s', async (place) => {
    using logs = copy();
    const key = await writeLog(`${logs.path}/${place}`, [decision(9)]);
    const path = logs.path;
    writeFileSync(`${path}.vkey`, `${readFileSync(keys, 'utf8')}${key}\n`);
    const queried = await runCli(['audit', 'query', path, '--json']);
    expect(idsIn(queried.out)).toEqual([...byTime, 'decision-9']);
    const verified = await runCli(['audit', 'verify', path, '--key', `${path}.vkey`]);
    expect([verified.code, verified.out.match(/The log is whole/g)]).toEqual([0, Array(3).fill('The log is whole')]);
    expect(await runCli(['audit', 'verify', path, '--key', keys])).toMatchObject({ code: 3 });
    rmSync(`${path}.vkey`);
  });

  it('is not read in part', async ({ skip }) => {
    skip(process.getuid?.() === 0 || process.platform === 'win32', 'root reads every folder');
    using logs = copy();
    mkdirSync(`${logs.path}/lost+found`, { mode: 0 });
    expect(await runCli(['audit', 'query', logs.path])).toMatchObject({ code: 0 });
    chmodSync(logs.log('0'), 0);
    const { code, err } = await runCli(['audit', 'query', logs.path]);
    chmodSync(logs.log('0'), 0o700);
    expect([code, err]).toEqual([1, expect.stringContaining('cannot be read (EACCES)')]);
  });

  it('is told apart from a copy when it is queried', async () => {
    using logs = copy();
    cpSync(logs.log('1'), logs.log('2'), { recursive: true });
    const { err } = await runCli(['audit', 'query', logs.path]);
    expect(err).toContain('Caution: 1 and 2 hold the same log');
  });

  it('has one report, with the verdict on each log', async () => {
    using folder = temporaryFolder();
    const made = await runCli([
      'audit',
      'report',
      template.file('audit'),
      '--key',
      keys,
      '--out',
      folder.file('r.html'),
    ]);
    expect([made.code, made.err]).toEqual([0, expect.stringContaining('The 2 logs are whole.')]);
    const page = readFileSync(folder.file('r.html'), 'utf8');
    expect(page).toContain('✓ Verified');
    expect(page.match(/<h3>[01]<\/h3><p>✓ The log is whole/g)).toHaveLength(2);
    expect(page).toContain('<b>6</b>');
    expect(page).toMatch(/"log":"0"/);
    using logs = copy();
    rmSync(logs.log('0'), { recursive: true });
    const failed = await runCli(['audit', 'report', logs.path, '--key', keys, '--out', folder.file('s.html')]);
    expect([failed.code, readFileSync(folder.file('s.html'), 'utf8')]).toEqual([
      3,
      expect.stringContaining('is not there'),
    ]);
  });
});
