import { mkdirSync, writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { mergedLogs } from '../../../src/commands/audit/merged-logs.js';
import { runCli } from '../../run-cli.js';
import { decision, outcome, refusedRequest, temporaryFolder } from './write-log.js';

/** Lines of a log without its own records, so they do not verify. */
function writeLines(directory: string, records: readonly object[]): string {
  const lines = records.map((record, at) => {
    const text = JSON.stringify({ sequence: at + 1, version: 1, ...record, prev: '0'.repeat(64) });
    return `${text}\n`;
  });
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/audit-000001.jsonl`, lines.join(''));
  return directory;
}

const at = (second: number) => ({ time: new Date(Date.UTC(2026, 10, 24) + second * 1000).toISOString() });

it('merges logs by time and keeps every record and the order of each log when a clock goes back', async () => {
  using folder = temporaryFolder();
  const log = fc.record({
    seconds: fc.array(fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }), { maxLength: 12 }),
    isSorted: fc.boolean(),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(log, { minLength: 1, maxLength: 4 }), async (logs) => {
      run += 1;
      const seconds = logs.map(({ seconds, isSorted }) =>
        isSorted ? seconds.map((one) => one ?? 0).toSorted((a, b) => a - b) : seconds,
      );
      const folders = seconds.map((list, number) =>
        writeLines(
          folder.file(`${run}-${number}`),
          list.map((one) => ({ id: 'x', ...(one === undefined ? { time: 'no time' } : at(one)) })),
        ),
      );
      const read: (readonly [number, number | undefined, string])[] = [];
      for await (const lines of mergedLogs(folders)) {
        read.push(
          ...lines.map(({ log, line: { line } }) => [log, line?.sequence, String(line?.record['time'])] as const),
        );
      }
      for (const [number, list] of seconds.entries()) {
        expect(read.filter(([log]) => log === number).map(([, sequence]) => sequence)).toEqual(
          list.map((_, of) => of + 1),
        );
      }
      if (!logs.every(({ isSorted }) => isSorted)) return;
      const times = read.map(([, , time]) => time);
      expect(times).toEqual(times.toSorted());
    }),
    { numRuns: 40 },
  );
});

it('query merges the logs of several workers, and names the log of each record', async () => {
  using folder = temporaryFolder();
  const [a, b] = [
    writeLines(folder.file('worker-0'), [decision(0), outcome(0), decision(4)]),
    // Equal request ids in two logs are different requests.
    writeLines(folder.file('worker-1'), [
      { ...outcome(0), id: 'elsewhere' },
      decision(2, { action: 'pr.merge' }),
      { ...refusedRequest(3), code: 'signature_invalid' },
    ]),
  ];
  const { out, err, code } = await runCli(['audit', 'query', a, b]);
  const rows = out.split('\n').map((line) =>
    line
      .split(/ +/)
      .filter((word) => word !== '')
      .slice(0, 4)
      .join(' '),
  );
  expect(rows).toEqual([
    'log record time what',
    'worker-0 1 2026-11-24T11:00:00.000Z allow',
    'worker-0 2 2026-11-24T11:00:00.000Z finished',
    'worker-1 1 2026-11-24T11:00:00.000Z finished',
    'worker-1 2 2026-11-24T11:00:02.000Z allow',
    'worker-1 3 2026-11-24T11:00:03.000Z refused',
    'worker-0 3 2026-11-24T11:00:04.000Z allow',
    '',
  ]);
  expect(err).toMatch(/^6 records\. 2 of what was allowed has no outcome, .*: worker-0 3, worker-1 2\. /);
  expect(code).toBe(0);

  const merges = await runCli(['audit', 'query', b, a, '--action', 'pr.create', '--json']);
  expect(merges.out.split('\n').map((line) => /"id":"([a-z]+-[0-9])"/.exec(line)?.[1])).toEqual([
    'decision-0',
    'outcome-0',
    'decision-4',
    undefined,
  ]);
});

it('query names logs by their whole paths when the last parts are equal', async () => {
  using folder = temporaryFolder();
  const folders = ['pod-a/audit', 'pod-b/audit'].map((name) => writeLines(folder.file(name), [decision(0)]));
  writeFileSync(folder.file('pod-b/audit/audit-000001.jsonl'), 'no record\n', { flag: 'a' });
  const { out, err, code } = await runCli(['audit', 'query', ...folders]);
  for (const path of folders) expect(out).toMatch(new RegExp(`^${path} +1 `, 'm'));
  expect(err).toContain(`A line in ${folders[1]}/audit-000001.jsonl is no record`);
  expect(code).toBe(1);
});

it.each([
  [['log', 'log/'], 2, /a folder is named twice/],
  [['log', 'none'], 1, /there is no audit log in .*none/],
])('query refuses %j', async (names, code, text) => {
  using folder = temporaryFolder();
  writeLines(folder.file('log'), [decision(0)]);
  const said = await runCli(['audit', 'query', ...names.map((name) => folder.file(name))]);
  expect(said).toEqual({ code, out: '', err: expect.stringMatching(text) as string });
});
