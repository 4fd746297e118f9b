import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, ftruncateSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CheckpointCheck } from '../src/checkpoint-check.js';
import { Findings } from '../src/finding.js';
import { readLines } from '../src/log-folder.js';
import { maxLineBytes, noPrev } from '../src/log-line.js';
import type { LogReport } from '../src/log-pass.js';
import { proveRecord } from '../src/prove-record.js';
import { type PlacedLine, readLog } from '../src/read-log.js';
import { verifyLog } from '../src/verify-log.js';
import { key, origin, SmallLog } from './small-log.js';

function kinds({ findings }: LogReport): string[] {
  return findings.map(({ kind }) => kind);
}

it('a log in the documented format verifies', async () => {
  using log = new SmallLog();
  log.startSegment();
  log.seal();
  expect(await verifyLog(log.path, { key })).toMatchObject({ ok: true, size: 5, sealed: 5, segments: 2 });
});

it('many copies of one note do not make the comparison of histories slow [F11]', () => {
  const findings = new Findings();
  const check = new CheckpointCheck(findings);
  const note = { origin, size: 3, root: Buffer.alloc(32, 1) };
  check.add(
    Array.from({ length: 200_000 }, () => note),
    false,
  );
  expect(check.compare(3, Buffer.alloc(32, 2))).toBe(false);
  check.end(3, Number.POSITIVE_INFINITY, 'checkpoints.txt');
  expect(findings.list).toMatchObject([{ kind: 'rewritten', from: 1, through: 3 }]);
});

describe('a segment that fences the one before [F6]', () => {
  const torn = '{"torn';
  const fence = { voidBytes: torn.length, sha256: createHash('sha256').update(torn).digest('hex') };

  it('is believed when the void bytes match', async () => {
    using log = new SmallLog();
    const validBytes = log.bytes;
    appendFileSync(log.file(), torn);
    log.startSegment({ fenced: { ...fence, validBytes } });
    log.seal();
    const report = await verifyLog(log.path, { key });
    expect(report).toMatchObject({ ok: true, sealed: 5, remarks: [expect.stringContaining('is void from byte')] });
  });

  it.each([-1, 1.5, 'x', 1e300, null, {}, true, 0, 1, 1_000_000_000])(
    'is not believed when validBytes is %j',
    async (validBytes) => {
      using log = new SmallLog();
      log.startSegment({ fenced: { ...fence, validBytes } });
      log.seal();
      const report = await verifyLog(log.path, { key });
      expect(kinds(report)).toEqual(['edited']);
      expect(report.findings).toMatchObject([{ from: 5, file: 'audit-000002.jsonl', line: 1 }]);
    },
  );

  it.each([
    ['other bytes', { sha256: '0'.repeat(64) }, true],
    ['no hash', { sha256: undefined }, false],
    ['another length', { voidBytes: 5 }, true],
    ['nothing', null, false],
  ])('is not believed with %s', async (_name, more, isNoRecord) => {
    using log = new SmallLog();
    const validBytes = log.bytes;
    appendFileSync(log.file(), torn);
    log.startSegment({ fenced: more && { ...fence, validBytes, ...more } });
    log.seal();
    expect(kinds(await verifyLog(log.path, { key }))).toContain('edited');
    const starts: PlacedLine[] = [];
    for await (const [first] of readLog(log.path, () => {})) if (first?.place.line === 1) starts.push(first);
    const { line, frame } = starts[1] ?? {};
    expect([starts.length, line === undefined, frame === undefined]).toEqual([2, isNoRecord, isNoRecord]);
  });
});

describe('a line that is too long [F6]', () => {
  const megabyte = 1024 * 1024;

  it.each([maxLineBytes + 1, megabyte, 5 * megabyte])(
    'of %i bytes is not a record, and the next lines are read',
    async (length) => {
      using log = new SmallLog();
      appendFileSync(log.file(), `${'a'.repeat(length)}\n`);
      log.add({ id: 'd' });
      const lines: PlacedLine[] = [];
      for await (const block of readLog(log.path, () => {})) lines.push(...block);
      expect(lines.map(({ line }) => line?.record['id'])).toEqual([undefined, 'a', 'b', 'c', undefined, 'd']);
      expect(kinds(await verifyLog(log.path, { key }))).toContain('edited');
    },
  );

  it.each([true, false])('is not a record even if it is valid JSON; sealed: %s', async (sealed) => {
    using log = new SmallLog();
    log.add({ phase: 'decision', note: 'x'.repeat(maxLineBytes) });
    if (sealed) log.seal();
    expect((await verifyLog(log.path, { key })).findings).toMatchObject([{ kind: 'edited', from: 5, through: 5 }]);
  });

  it('is neither held in memory nor copied with each block', async () => {
    using log = new SmallLog();
    const sparse = openSync(log.file(), 'r+');
    // Zeros that take no place on the disk.
    ftruncateSync(sparse, 200 * megabyte);
    closeSync(sparse);
    appendFileSync(log.file(), '\n');
    let longest = 0;
    for await (const { lines } of readLines(log.file()))
      for (const { length } of lines) longest = Math.max(longest, length);
    expect(longest).toBeLessThan(2 * megabyte);
  });

  it('is reported when the log ends with it', async () => {
    using log = new SmallLog();
    log.seal();
    appendFileSync(log.file(), 'a'.repeat(megabyte));
    const { ok, remarks } = await verifyLog(log.path, { key });
    expect({ ok, remarks }).toEqual({
      ok: true,
      remarks: ['audit-000001.jsonl ends with more than 16384 bytes that are no whole record.'],
    });
  });
});

it.each([{ id: '' }, {}, { id: 'none' }, { sequence: 99 }])('proves no record for %j', async (wanted) => {
  using log = new SmallLog();
  log.seal();
  expect(await proveRecord(log.path, { key, ...wanted })).toEqual({ ok: false, problem: 'not_found' });
  expect(await proveRecord(log.path, { key, id: 'a' })).toMatchObject({ ok: true, sequence: 2 });
});

describe('a log with many gaps [F6]', () => {
  const prev = noPrev;
  const everySecond = (first: number, count: number): string =>
    Array.from({ length: count }, (_, index) => `{"sequence":${first + 2 * index},"prev":"${prev}"}\n`).join('');

  it('is reported as far as it can be read, in linear time', async () => {
    using log = new SmallLog();
    const holes = 20_000;
    appendFileSync(log.file(), everySecond(6, holes) + everySecond(5, holes));
    // Minutes, were each hole looked for among all others.
    const report = await verifyLog(log.path, { key });
    expect(report.findingCount).toBeGreaterThan(100);
    expect(new Set(kinds(report))).toEqual(new Set(['removed']));
  });

  it('distinguishes moved from repeated records, even behind a thousand gaps', async () => {
    using log = new SmallLog();
    appendFileSync(log.file(), everySecond(6, 20) + everySecond(5, 1) + everySecond(6, 1));
    expect((await verifyLog(log.path, { key })).findings.slice(0, 2)).toMatchObject([
      { kind: 'reordered', from: 5 },
      { kind: 'duplicated', from: 6 },
    ]);
    appendFileSync(log.file(), everySecond(100, 1001));
    appendFileSync(log.file(), everySecond(7, 1) + everySecond(2099, 1) + everySecond(2100, 1));
    const { findings } = await verifyLog(log.path, { key });
    const late = findings.filter(({ kind, from = 0 }) => kind !== 'removed' && [7, 2099, 2100].includes(from));
    expect(late.map(({ kind }) => kind)).toEqual(['reordered', 'reordered', 'duplicated']);
  });
});

describe.skipIf(process.platform === 'win32')('a file of the log that is not a regular file [F6]', () => {
  const makers: Readonly<Record<string, (path: string) => void>> = {
    'a folder': (path) => mkdirSync(path),
    'a pipe': (path) => void execFileSync('mkfifo', [path]),
    'a link': (path) => symlinkSync('/dev/zero', path),
  };
  const cases = Object.keys(makers).flatMap((what) => [
    [what, 'audit-000002.jsonl'],
    [what, 'checkpoints.txt'],
  ]);

  it.each(cases)('is a finding, and is not opened: %s in place of %s', async (what = '', name = '') => {
    using log = new SmallLog();
    makers[what]?.(log.file(name));
    const report = await verifyLog(log.path, { key });
    expect(report.findings).toMatchObject([{ kind: 'edited', file: name }]);
    expect(report).toMatchObject({ ok: false, size: 4, segments: 1 });
    expect(await proveRecord(log.path, { key, id: 'a' })).toEqual({ ok: false, problem: 'not_sealed_yet' });
  });
});
