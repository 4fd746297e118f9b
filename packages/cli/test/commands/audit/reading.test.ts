import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type AuditHop, auditFile } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localTime } from '../../../src/commands/audit/local-time.js';
import { readOn } from '../../../src/commands/audit/log-end.js';
import { runCli } from '../../run-cli.js';
import {
  changeLines,
  decision,
  outcome,
  refusedRequest,
  temporaryFolder,
  undecidedOutcome,
  writeLog,
} from './write-log.js';

const { resource: _, ...listed } = decision(5, { action: 'invoice.list' });
const aList = {
  ...listed,
  filtered: {
    asked: 9,
    permitted: 2,
    resources: [
      { type: 'Invoice', id: '41' },
      { type: 'Invoice', id: '43' },
    ],
  },
};

const refusedInNameOf = {
  ...refusedRequest(6),
  detail: 'the signature does not verify, whatever the sender says of itself, and this is told at some length',
  claimed: { keyId: 'key-of-b', agent: 'agent-b' },
  request: { ...refusedRequest(6).request, remoteAddress: '203.0.113.9' },
};

const handedOn = (decision(0).chain ?? []).flatMap((hop, at): AuditHop[] =>
  at === 0
    ? [{ ...hop, registeredAs: 'agent-here' }]
    : [
        { ...hop, id: 'agent-between', delegationId: 'token-2', ancestors: [{ delegationId: 'token-1' }] },
        { ...hop, delegationId: 'link-1', proof: 'signature' as const },
      ],
);

const folder = temporaryFolder();
const log = folder.file('log');

beforeAll(async () => {
  await writeLog(
    log,
    [
      decision(0),
      outcome(0),
      decision(1, { decision: 'deny', code: 'policy_denied', action: 'pr.merge' }),
      decision(2, { actor: { id: 'agent-b', keyId: 'key-of-b' }, subject: { id: 'agent-b', type: 'agent' } }),
      outcome(2, 'aborted'),
      refusedRequest(3),
      decision(4, { resource: { type: 'Invoice', id: '42' } }),
      aList,
      refusedInNameOf,
      decision(7, { chain: handedOn }),
      outcome(7),
      ...Array.from({ length: 30 }, (_, more) => decision(10 + more, { action: 'invoice.read' })),
    ],
    { maxSegmentBytes: 4096 },
  );
});
afterAll(() => folder[Symbol.dispose]());

async function ids(command: 'query' | 'tail', ...args: string[]): Promise<(string | undefined)[]> {
  const { code, out } = await runCli(['audit', command, log, '--json', ...args]);
  expect(code).toBe(0);
  const lines = out.split('\n').slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { id?: string }).id);
}

describe('audit query', () => {
  it.each<[string[], string[]]>([
    [
      ['--decision', 'deny'],
      ['decision-1', 'refused-3', 'refused-6'],
    ],
    [['--actor', 'agent-b'], ['decision-2']],
    [
      ['--subject', 'user_1', '--phase', 'outcome'],
      ['outcome-0', 'outcome-2', 'outcome-7'],
    ],
    [['--action', 'pr.merge'], ['decision-1']],
    [
      ['--action', 'pr.create', '--until', '2026-11-24T11:00:02Z'],
      ['decision-0', 'outcome-0'],
    ],
    [['--outcome', 'aborted'], ['outcome-2']],
    [['--outcome', 'aborted', '--resource', 'Repo'], ['outcome-2']],
    [['--outcome', 'aborted', '--resource', 'Invoice'], []],
    [['--outcome', 'timed_out'], []],
    [
      ['--resource', 'Invoice'],
      ['decision-4', 'decision-5'],
    ],
    [['--resource', '42'], ['decision-4']],
    [['--resource', 'Invoice::"42"'], ['decision-4']],
    [['--resource', 'Invoice::"43"'], ['decision-5']],
    [['--resource', 'Invoice::"44"'], []],
    [['--resource', 'Invoice::42'], ['decision-4']],
    [
      ['--code', 'signature_invalid'],
      ['refused-3', 'refused-6'],
    ],
    [['--claimed', 'agent-b'], ['refused-6']],
    [['--claimed', 'key-of-b'], ['refused-6']],
    [['--claimed', 'claimed-key'], ['refused-3']],
    [['--claimed', 'agent-a'], []],
    [['--address', '203.0.113.9'], ['refused-6']],
    [['--address', '203.0.113.9', '--claimed', 'claimed-key'], []],
    [
      ['--address', '127.0.0.1', '--until', '2026-11-24T11:00:02Z'],
      ['decision-0', 'outcome-0', 'decision-1'],
    ],
    [
      ['--via', 'agent-between'],
      ['decision-7', 'outcome-7'],
    ],
    [
      ['--via', 'agent-here'],
      ['decision-7', 'outcome-7'],
    ],
    [['--via', 'agent-a'], []],
    [['--via', 'user_1'], []],
    [
      ['--delegation', 'link-1'],
      ['decision-7', 'outcome-7'],
    ],
    [
      ['--delegation', 'token-1'],
      ['decision-7', 'outcome-7'],
    ],
    [['--delegation', 'token'], []],
    [
      ['--request', 'request-0'],
      ['decision-0', 'outcome-0'],
    ],
    [['--since', '2026-11-24T11:00:38Z', '--until', '2026-11-24T12:00:39+01:00'], ['decision-38']],
    [
      ['--since', '3562s', '--phase', 'decision'],
      ['decision-38', 'decision-39'],
    ],
  ])('finds %j', async (args, expected) => {
    expect(await ids('query', ...args)).toEqual(expected);
  });

  it('never shows the identity that a refused request claims as an actor [F7]', async () => {
    expect(await ids('query', '--actor', 'claimed-key')).toEqual([]);
    const { out } = await runCli(['audit', 'query', log, '--phase', 'authentication']);
    expect(out).toMatch(/refused +\(claims key claimed-key\) +GET \/ +signature_invalid/);
  });

  it('prints a table for people', async () => {
    const { out, err, code } = await runCli([
      'audit',
      'query',
      log,
      '--until',
      '2026-11-24T11:00:03Z',
      '--phase',
      'decision',
    ]);
    expect(out.split('\n')).toEqual([
      expect.stringMatching(/^ +record {2}time +what +who +did$/) as string,
      expect.stringMatching(
        /^ +2 {2}2026-11-24T11:00:00\.000Z {2}allow +agent-a for user_1 +pr\.create Repo::"acme\/api" {2}by pulls\.cedar#reviewers$/,
      ) as string,
      expect.stringMatching(
        /deny +agent-a for user_1 +pr\.merge Repo::"acme\/api" +policy_denied, by pulls\.cedar#reviewers$/,
      ) as string,
      expect.stringMatching(/allow +agent-b +pr\.create/) as string,
      '',
    ]);
    expect(err).toMatch(
      /^3 records\. Reading is not verifying: countersign audit verify\.\nWhat policy lacked: countersign policy explain /,
    );
    expect(code).toBe(0);
  });

  it('shows the decision of each outcome, and marks allowed requests without an outcome', async () => {
    const { out, err } = await runCli(['audit', 'query', log, '--until', '2026-11-24T11:00:05Z', '--phase', 'outcome']);
    expect(out).toMatch(/^ +3 .* finished 201 +agent-a for user_1 +pr\.create Repo::"acme\/api"$/m);
    expect(err).toMatch(/^2 records\. Reading/);
    const { err: open } = await runCli(['audit', 'query', log, '--resource', 'Invoice']);
    expect(open).toMatch(
      /^2 records\. 2 of what was allowed has no outcome, after a crash or still running: [0-9]+, [0-9]+\./,
    );
  });

  it('shows the outcome of a request by each of its decisions', async () => {
    using other = temporaryFolder();
    const { request } = decision(0);
    const many = Array.from({ length: 40 }, (_, at) =>
      decision(at, { request, resource: { type: 'Doc', id: `d${at}` } }),
    );
    await writeLog(other.file('log'), [...many, outcome(0)]);
    const { out, err } = await runCli(['audit', 'query', other.file('log'), '--resource', 'Doc::"d0"']);
    expect(out).toMatch(/finished 201 .*Doc::"d0"$/m);
    expect(err).toMatch(/^2 records\. Reading/);
  });

  it('marks, finds and colours outcomes without a decision', async () => {
    using other = temporaryFolder();
    await writeLog(other.file('log'), [decision(0), outcome(0), undecidedOutcome(1)]);
    const { out } = await runCli(['audit', 'query', other.file('log')]);
    const rows = out.split('\n').filter((row) => row.includes('undecided: no permit was reached'));
    expect(rows).toEqual([expect.stringMatching(/! finished 204 +agent-a for user_1 +POST \/repos\/acme\/api\/pulls/)]);
    const found = await runCli(['audit', 'query', other.file('log'), '--undecided', '--json']);
    expect(found.out.trim().split('\n')).toEqual([expect.stringContaining('"outcome-1"')]);
    const coloured = await runCli(['audit', 'query', other.file('log')], { colour: { out: true, err: false } });
    expect(coloured.out.split('\n').find((row) => row.includes('! finished 204'))).toContain('\u001b[33m');
  });

  it('finds and colours what a guard that observes would have refused, and shows how it ended', async () => {
    using folder = temporaryFolder();
    const log = folder.file('log');
    const would = { decision: 'would_refuse', code: 'policy_denied' } as const;
    await writeLog(log, [decision(0), decision(1, would), outcome(1), { ...refusedRequest(2), ...would }]);
    const { out } = await runCli(['audit', 'query', log, '--decision', 'would_refuse', '--json']);
    expect(out.match(/(?:decision|outcome|refused)-\d/g)).toEqual(['decision-1', 'outcome-1', 'refused-2']);
    const coloured = await runCli(['audit', 'query', log], { colour: { out: true, err: false } });
    const rows = coloured.out.split('\n').filter((row) => row.includes('! would refuse'));
    expect(rows).toEqual([expect.stringContaining('\u001b[33m'), expect.stringContaining('\u001b[33m')]);
  });

  it('describes records about the log itself', async () => {
    using other = temporaryFolder();
    const events = [decision(0), outcome(0)];
    await writeLog(other.file('log'), events);

    appendFileSync(other.file('log/audit-000001.jsonl'), '{"torn":');
    await writeLog(other.file('log'), events);
    const { out } = await runCli(['audit', 'query', other.file('log')]);

    expect(out).toMatch(
      /^ +1 .* segment +\(the log\) +segment 1 of acme\.dev\/audit\/1\/[\da-f]{8} begins, after 0 records$/m,
    );
    expect(out).toMatch(/ checkpoint +\(the log\) +records 1 to 3 sealed, root [A-Za-z0-9+/]{43}=$/m);
    expect(out).toMatch(
      / recovered +\(the log\) +after a crash 8 torn bytes were put aside as audit-000001\.jsonl\.torn-/m,
    );
  });

  it.each([80, 100, 120])('fits a terminal of %i columns, and truncates only a long detail', async (width) => {
    const { out: whole } = await runCli(['audit', 'query', log]);
    const { out } = await runCli(['audit', 'query', log], { columns: () => width });
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
    const detail = / {2}the signature does not.*$/gm;
    expect(out.replace(detail, '').match(/\S+/g)).toEqual(whole.replace(detail, '').match(/\S+/g));
    expect(whole).toContain(refusedInNameOf.detail);
    expect(out).toMatch(width < 110 ? / the signature does not .*…$/m : / the signature does not .* length$/m);
  });

  it('shortens UUIDs and thumbprints on a terminal, each to a form of its own', async () => {
    using other = temporaryFolder();
    const [one, twin] = ['3f2b8c1e-7a44-4d5e-9b1c-0123456789ab', '3f2b8c1e-0000-4d5e-9b1c-0000000089ab'];
    await writeLog(other.file('log'), [
      decision(0, { subject: { id: one, type: 'user' } }),
      decision(1, { subject: { id: twin, type: 'user' } }),
      decision(2, { subject: { id: '3f2b8c1e…89ab', type: 'user' } }),
    ]);
    const query = ['audit', 'query', other.file('log'), '--phase', 'decision'];
    const { out, err } = await runCli(query, { columns: () => 160 });
    expect([...out.matchAll(/agent-a for (\S+)/g)].map(([, name]) => name)).toEqual([
      '3f2b8c1e…89ab',
      twin,
      String.raw`3f2b8c1e\u{2026}89ab`,
    ]);
    expect(err).toContain('--json has them whole');
    expect((await runCli(query)).out).toContain(`agent-a for ${one}`);
  });

  it('shows local times beside UTC on a terminal', async () => {
    const terminal = { columns: () => 200, timeZone: 'Asia/Kolkata' };
    const { out } = await runCli(['audit', 'query', log, '--phase', 'decision'], terminal);
    expect(out).toContain('time (local)');
    expect(out).toMatch(/2026-11-24T11:00:00\.000Z \(16:30:00\)/);
    expect((await runCli(['audit', 'query', log], { timeZone: 'Asia/Kolkata' })).out).not.toContain('16:30');
    const { out: inUtc } = await runCli(['audit', 'query', log], { ...terminal, timeZone: 'UTC' });
    expect(inUtc).not.toContain('local');
  });

  it('writes the day where the local one differs', () => {
    expect(localTime('2026-11-24T23:00:00Z', 'Asia/Kolkata')).toBe('11-25 04:30:00');
    expect(localTime('no time', 'Asia/Kolkata')).toBeUndefined();
    expect(localTime('2026-11-24T23:00:00Z', undefined)).toBeUndefined();
  });

  it('shows how many resources of a filtered list were permitted', async () => {
    const { out } = await runCli(['audit', 'query', log, '--action', 'invoice.list']);
    expect(out).toMatch(/allow +agent-a for user_1 +invoice\.list 2 of 9 {2}by pulls\.cedar#reviewers$/m);
  });

  it('waits for a slow reader of its output', async () => {
    let waited = 0;
    const drained = async () => void (waited += 1);
    await runCli(['audit', 'query', log], { drained });
    expect(waited).toBeGreaterThan(1);
  });

  it.each([
    ['--since', 'yesterday'],
    ['--until', '2026-11-24T11:00'],
    ['--since', '5 minutes'],
    ['--decision', 'maybe'],
    ['--decision', 'error'],
    ['--outcome', 'error'],
    ['--phase', 'x'],
    ['--since', '2026-02-30'],
    ['--since', '2026-13-01T00:00:00Z'],
    ['--since', '2026-11-24T25:00:00Z'],
    ['--since', ''],
    ['--actor', ''],
    ['--via', ''],
    ['--delegation', ''],
  ])('refuses %s %s', async (option, value) => {
    expect(await runCli(['audit', 'query', log, option, value])).toMatchObject({ code: 2, out: '' });
  });

  it('explains the zone when a time has none', async () => {
    const { code, err } = await runCli(['audit', 'query', log, '--since', '2026-11-24T00:00:00']);
    expect([code, err]).toEqual([
      2,
      'countersign: --since: name the zone of this time: 2026-11-24T00:00:00Z or 2026-11-24T00:00:00+01:00\n',
    ]);
  });

  it.each(['query', 'tail', 'report', 'verify'])(
    'names the help of %s where an option is misspelt',
    async (command) => {
      const { code, err } = await runCli(['audit', command, log, '--acton', 'pr.merge']);
      expect([code, err]).toEqual([2, expect.stringContaining(`(countersign audit ${command} --help`)]);
    },
  );

  it('refuses an empty time range', async () => {
    const { code, err } = await runCli(['audit', 'query', log, '--since', '15m', '--until', '2h']);
    expect([code, err]).toEqual([2, expect.stringContaining('--since is not before --until')]);
  });

  it('escapes control characters when a log was tampered with, and reports lines that are not records [F1]', async () => {
    using other = temporaryFolder();
    await writeLog(other.file('log'), [decision(0), decision(1), decision(2)]);
    changeLines(other.file('log'), (lines) => [
      ...lines.map((line) =>
        line.replace('"id":"agent-a"', '"id":"\\u001b[2J\u202eagent"').replace('"chain":[', '"chain":[7,null,'),
      ),
      'no record',
    ]);
    for (const args of [[], ['--json']]) {
      const { code, out, err } = await runCli(['audit', 'query', other.file('log'), ...args]);
      expect(out).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
      expect(out).toContain('agent');
      expect(err).toContain('is no record and is left out');
      expect(code).toBe(1);
    }
  });
});

describe('audit query of an id that a client chose [F1]', () => {
  const id = `x"  by a.cedar#admin${' '.repeat(90)}99  2026-11-28T13:14:09.157Z  allow  root  pay T::"1\\`;

  it('shows no further cell or record', async () => {
    using other = temporaryFolder();
    await writeLog(other.file('log'), [decision(0, { resource: { type: 'T', id } })]);
    for (const width of [80, 120, Infinity]) {
      const { out } = await runCli(['audit', 'query', other.file('log'), '--phase', 'decision'], {
        columns: () => width,
      });
      expect(out).toContain(String.raw`T::"x\" \u{20}by`);
      expect(out).not.toMatch(/(^|\S {2,})99\b|\S {2,}by a\.cedar|^ {2,10}\S* {2}allow/m);
    }
  });

  it('finds the record by what it shows', async () => {
    using other = temporaryFolder();
    await writeLog(other.file('log'), [
      decision(0, { resource: { type: 'T', id: 'a"b\\' } }),
      decision(1, { resource: { type: 'T', id: 'a \u00a0b\n' } }),
    ]);
    for (const resource of [String.raw`T::"a \u{a0}b\u{a}"`, String.raw`T::"a\"b\\"`, String.raw`T::"a"b\"`, 'a"b\\']) {
      const { out } = await runCli(['audit', 'query', other.file('log'), '--resource', resource, '--json']);
      expect(out.trim().split('\n')).toHaveLength(1);
      expect(out).toContain('"type":"T"');
    }
  });
});

describe('audit tail', () => {
  it.each(['query', 'tail', 'report'])('%s reports a missing log or folder', async (command) => {
    using other = temporaryFolder();
    const run = async (path: string) =>
      (await runCli(['audit', command, path, ...(command === 'report' ? ['--out', other.file('r')] : [])])).err;
    writeFileSync(other.file('file'), '');
    expect(await run(other.file('absent'))).toMatch(/there is no audit log in .*absent\n$/);
    expect(await run(other.path)).toMatch(/there is no audit log in /);
    expect(await run(other.file('file'))).toMatch(/file is a file: name the folder of the log\n$/);
  });

  it('prints the last records, across segments', async () => {
    expect(readdirSync(log).filter((name) => name.endsWith('.jsonl')).length).toBeGreaterThan(3);
    const whole = await ids('query');
    for (const count of [0, 1, 9, 10, whole.length - 1, whole.length, 999]) {
      expect(await ids('tail', '--lines', String(count))).toEqual(count === 0 ? [] : whole.slice(-count));
    }
    expect(await ids('tail')).toEqual(whole.slice(-10));
    expect(await ids('tail', '-n', '999', '--actor', 'agent-b')).toEqual(['decision-2']);
  });

  it('shows the decision of an outcome when the decision precedes the requested records', async () => {
    using other = temporaryFolder();
    const between = Array.from({ length: 20 }, (_, number) => decision(10 + number));
    await writeLog(other.file('log'), [decision(0, { action: 'pr.merge' }), ...between, outcome(0)], {
      maxSegmentBytes: 4096,
    });
    for (const args of [
      ['-n', '2'],
      ['-n', '2', '--action', 'pr.merge'],
    ]) {
      const { out } = await runCli(['audit', 'tail', other.file('log'), ...args]);
      expect(out).toMatch(/ finished 201 +agent-a for user_1 +pr\.merge Repo::"acme\/api"\n/);
      expect(out).not.toContain(' allow ');
    }
  });

  it('reports the loss of the log when its folder is removed during --follow', async () => {
    using other = temporaryFolder();
    await writeLog(other.file('log'), [decision(0)]);
    const remove = async () => rmSync(other.file('log'), { recursive: true, force: true });
    const { code, err } = await runCli(['audit', 'tail', '-f', other.file('log')], { drained: remove });
    expect([code, err]).toEqual([1, `countersign: the log is gone from ${other.file('log')}: verify this log\n`]);
  });

  it('omits the bytes of a crash when the next segment declares them void', async () => {
    using other = temporaryFolder();
    await writeLog(
      other.file('log'),
      Array.from({ length: 12 }, (_, number) => decision(number)),
      { maxSegmentBytes: 4096 },
    );
    const tail = async () =>
      (await runCli(['audit', 'tail', other.file('log'), '-n', '99', '--phase', 'decision'])).out;
    const before = await tail();
    const first = other.file('log/audit-000001.jsonl');
    const [line = ''] = readFileSync(first, 'utf8').split('\n').slice(1);
    const validBytes = statSync(first).size;
    const torn = `${line}\n{"torn":`;
    appendFileSync(first, torn);
    expect(await tail()).not.toBe(before);
    const second = other.file('log/audit-000002.jsonl');
    const start = readFileSync(second, 'utf8');
    const fenceOff = (fence: object) =>
      writeFileSync(second, start.replace('"frontier"', `"fenced":${JSON.stringify(fence)},"frontier"`));
    const fence = { validBytes, voidBytes: torn.length, sha256: createHash('sha256').update(torn).digest('hex') };
    fenceOff(fence);
    expect(await tail()).toBe(before);
    // Otherwise an attacker with write access could hide records from a reader of the end.
    for (const other of [{ validBytes: 9 }, { voidBytes: 1 }, { sha256: '0'.repeat(64) }, { validBytes: 1e9 }]) {
      fenceOff({ ...fence, ...other });
      expect(await tail()).not.toBe(before);
    }
  });

  it('stops when a segment has become shorter', async () => {
    const from = { file: 'audit-000001.jsonl', offset: statSync(`${log}/audit-000001.jsonl`).size + 1 };
    await expect(readOn(log, from).next()).rejects.toThrow('audit-000001.jsonl has become shorter: verify this log');
  });

  it('omits an incomplete last line', async () => {
    using other = temporaryFolder();
    await writeLog(other.file('log'), [decision(0)]);
    const { out } = await runCli(['audit', 'tail', other.file('log')]);
    appendFileSync(other.file('log/audit-000001.jsonl'), '{"sequence":4,');
    expect(await runCli(['audit', 'tail', other.file('log')])).toMatchObject({ code: 0, out });
  });

  it.each([
    ['--lines', 'ten'],
    ['--lines', '-1'],
  ])('refuses %s %s', async (option, value) => {
    expect(await runCli(['audit', 'tail', log, option, value])).toMatchObject({ code: 2, out: '' });
  });
});

const bin = fileURLToPath(new URL('../../../bin/countersign.js', import.meta.url));
const built = existsSync(fileURLToPath(new URL('../../../dist/index.js', import.meta.url)));
if (!built) console.warn('NOT RUN: countersign audit tail --follow, because the package is not built (tsc -b).');

/** Runs `audit tail --follow --json` as a process, and collects the ids it prints. */
function follow(directory: string, ...args: string[]) {
  const child = spawn(process.execPath, [bin, 'audit', 'tail', '-f', '--json', ...args, directory]);
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (JSON.parse(String((await lines.next()).value)) as { id: string }).id;
  return { child, ended, next, [Symbol.asyncDispose]: async () => void (child.kill('SIGKILL') && (await ended)) };
}

describe.runIf(built)('audit tail --follow', () => {
  it('waits for a log, and follows it across segments and a crash of its writer', async () => {
    using other = temporaryFolder();
    const log = other.file('log');
    await using tail = follow(log, '--phase', 'decision');
    const [waiting] = (await once(tail.child.stderr, 'data')) as [Buffer];
    expect(String(waiting)).toMatch(/^There is no audit log in .*log yet: waiting for it\.\n$/);
    let sink = auditFile(log, { maxSegmentBytes: 4096 });
    const segments = () => readdirSync(log).filter((name) => name.endsWith('.jsonl'));
    for (let number = 1; number <= 20; number++) {
      await sink.write(decision(number));
      if (number % 5 === 0) {
        for (let seen = number - 4; seen <= number; seen++) expect(await tail.next()).toBe(`decision-${seen}`);
      }
      if (number !== 10) continue;
      await sink.close?.();
      appendFileSync(other.file(`log/${segments().at(-1)}`), '{"sequence":99,"torn":');
      sink = auditFile(log, { maxSegmentBytes: 4096 });
    }
    expect(segments().length).toBeGreaterThan(1);
    await sink.close?.();
    for (const name of segments()) rmSync(other.file(`log/${name}`));
    expect(await text(tail.child.stderr)).toMatch(/is gone from .*: verify this log/);
    expect(await tail.ended).toEqual([1, null]);
  });

  it('shows the records of a process that begins its log later', async () => {
    using other = temporaryFolder();
    const log = other.file('log');
    const first = auditFile(`${log}/1`);
    await first.write(decision(1));
    await using tail = follow(log, '--phase', 'decision', '-n', '1');
    expect(await tail.next()).toBe('decision-1');
    const second = auditFile(`${log}/2`);
    for (let number = 2; number < 30; number++) await second.write(decision(number));
    for (let number = 2; number < 30; number++) expect(await tail.next()).toBe(`decision-${number}`);
    await first.write(decision(30));
    expect(await tail.next()).toBe('decision-30');
    await first.close?.();
    await second.close?.();
  });

  it('ends silently on SIGINT, and when its output is closed', async () => {
    using other = temporaryFolder();
    const sink = auditFile(other.file('log'));
    await sink.write(decision(0));
    for (const end of ['SIGINT', 'closed pipe'] as const) {
      await using tail = follow(other.file('log'), '-n', '1');
      const said = text(tail.child.stderr);
      await tail.next();
      if (end === 'SIGINT') tail.child.kill(end);
      else {
        tail.child.stdout.destroy();
        await sink.write(decision(1));
      }
      expect(await tail.ended).toEqual(end === 'SIGINT' ? [null, end] : [0, null]);
      expect(await said).toBe('');
    }
    await sink.close?.();
  });
});

const long = (name: string): string => `${name}/${'漢'.repeat(250)}`;

describe('audit query of a record that was too long for a line [F3]', () => {
  const path =
    'departments/finance/payroll/2026/november/employees/europe/germany/berlin/salaries-and-bonuses-of-the-board.xlsx';
  const hops = Array.from({ length: 17 }, (_, at) => ({
    type: at === 0 ? ('user' as const) : ('agent' as const),
    id: long(at === 0 ? 'user' : `agent-${at}`),
    proof: 'signature' as const,
    delegationId: long(`link-${at}`),
    scope: ['file:delete'],
  }));
  const cut = decision(1, {
    actor: { id: long('agent-16') },
    subject: { id: long('user'), type: 'user' },
    resource: { type: 'File', id: path },
    chain: hops.slice(0, 9),
    policies: Array.from({ length: 12 }, (_, at) => `${at}${'漢'.repeat(500)}`),
  });
  const claimed = { ...refusedRequest(2), claimed: { keyId: `${'k'.repeat(48)}…[+12]` } };

  it.each<[string[], string[]]>([
    [['--resource', path], ['decision-1']],
    [['--resource', `File::"${path}"`], ['decision-1']],
    [['--resource', `File::${path}`], ['decision-1']],
    [['--resource', `File::"${path}x"`], []],
    [['--resource', `Folder::"${path}"`], []],
    [['--actor', long('agent-16')], ['decision-1']],
    [['--actor', long('agent-15')], []],
    [['--subject', long('user')], ['decision-1']],
    [['--via', long('agent-3')], ['decision-1']],
    [['--delegation', long('link-8')], ['decision-1']],
    [['--delegation', long('link-9')], []],
    [['--claimed', 'k'.repeat(60)], ['refused-2']],
    [['--claimed', 'k'.repeat(61)], []],
  ])('finds what was cut: %#', async (args, expected) => {
    using other = temporaryFolder();
    await writeLog(other.file('log'), [cut, claimed]);
    const { out } = await runCli(['audit', 'query', other.file('log'), '--json', ...args]);
    const found = out.split('\n').slice(0, -1);
    expect(found.map((line) => (JSON.parse(line) as { id?: string }).id)).toEqual(expected);
    if (expected.includes('decision-1'))
      expect(found[0]?.slice(found[0].indexOf('departments'))).toMatch(/of-th…\[\+12 sha256:/);
  });
});

describe('countersign audit query --approval', () => {
  const binding = 'b'.repeat(43);
  const asked = decision(0, { decision: 'deny', code: 'approval_required', approval: { binding } });
  const used = decision(1, {
    approval: { binding, id: 'approval-1', approvers: [{ id: 'user_42', groups: ['a'], decidedAt: 1 }] },
  });
  const other = decision(2, { approval: { binding: 'c'.repeat(43), id: 'approval-2', breakGlass: true } });

  it.each(['approval-1', binding])('finds what was asked and what was used by %s', async (id) => {
    using approvals = temporaryFolder();
    await writeLog(approvals.file('log'), [asked, used, outcome(1), other, decision(3)]);
    const { out } = await runCli(['audit', 'query', approvals.file('log'), '--approval', id, '--json']);
    const ids = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(ids).toEqual([asked.id, used.id, outcome(1).id]);
  });

  it('shows who approved, also alone in an emergency', async () => {
    using approvals = temporaryFolder();
    const approvers = [{ id: 'user_911', groups: [], decidedAt: 1 }];
    await writeLog(approvals.file('log'), [used, decision(2, { approval: { ...other.approval!, approvers } })]);
    const { out } = await runCli(['audit', 'query', approvals.file('log')]);
    expect(out).toContain('approved by user_42');
    expect(out).toContain('approved by user_911 (break-glass)');
  });
});
