import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type LogReport, verifyLog } from '../src/verify-log.js';
import { key, SmallLog } from './small-log.js';

function kinds({ findings }: LogReport): string[] {
  return findings.map(({ kind }) => kind);
}

it('a log that is as the format says is whole', async () => {
  using log = new SmallLog();
  log.startSegment();
  log.seal();
  expect(await verifyLog(log.path, { key })).toMatchObject({ ok: true, size: 5, sealed: 5, segments: 2 });
});

describe('F6 a segment that says where the one before is void', () => {
  const torn = '{"torn';
  const fence = { voidBytes: torn.length, sha256: createHash('sha256').update(torn).digest('hex') };

  it('is believed where it is so', async () => {
    using log = new SmallLog();
    const validBytes = log.bytes;
    appendFileSync(log.file(), torn);
    log.startSegment({ fenced: { ...fence, validBytes } });
    log.seal();
    const report = await verifyLog(log.path, { key });
    expect(report).toMatchObject({ ok: true, sealed: 5, remarks: [expect.stringContaining('is void from byte')] });
  });

  it.each([-1, 1.5, 'x', 1e300, null, {}, true, 0, 1, 1_000_000_000])('is not where it says %j', async (validBytes) => {
    using log = new SmallLog();
    log.startSegment({ fenced: { ...fence, validBytes } });
    log.seal();
    const report = await verifyLog(log.path, { key });
    expect(kinds(report)).toEqual(['edited']);
    expect(report.findings).toMatchObject([{ from: 5, file: 'audit-000002.jsonl', line: 1 }]);
  });

  it.each([
    ['other bytes', { sha256: '0'.repeat(64) }],
    ['no hash', { sha256: undefined }],
    ['another length', { voidBytes: 5 }],
    ['nothing', null],
  ])('is not where it says %s', async (_name, more) => {
    using log = new SmallLog();
    const validBytes = log.bytes;
    appendFileSync(log.file(), torn);
    log.startSegment({ fenced: more && { ...fence, validBytes, ...more } });
    log.seal();
    expect(kinds(await verifyLog(log.path, { key }))).toContain('edited');
  });
});
