import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditFile, auditFileWith } from '../../src/log/audit-file.js';
import type { AuditFileOptions } from '../../src/log/audit-file-options.js';
import { readWholeAuditLog } from '../../src/log/read-audit-log.js';
import { unreportedTornBytes } from '../../src/log/unreported-torn-bytes.js';
import { ConfigError } from '@countersign/common';
import { event, type Folder, temporaryFolder } from '../events.js';
import { fullFor } from '../disk/faults.js';
import { segments, verify, writeAll } from '../log-folder.js';

const noon = '2026-11-24T12-00-00.000Z';
const atNoon: AuditFileOptions = { clock: () => Date.parse('2026-11-24T12:00:00Z') };

interface Told {
  readonly bytes: number;
  readonly sha256: string;
  readonly file: string;
}

async function told(folder: Folder): Promise<readonly Told[]> {
  const found: Told[] = [];
  for await (const record of readWholeAuditLog(folder.path))
    if (record.phase === 'recovered') found.push(record.recovered);
  return found;
}

function kept(folder: Folder, file: string): Told {
  const bytes = readFileSync(join(folder.path, file));
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), file };
}

/** A start that puts the torn end aside, and fails before it can say so. */
function failToTell(folder: Folder): string {
  expect(() => auditFileWith(fullFor('"recovered"'), folder.path, atNoon)).toThrow(ConfigError);
  return `audit-000001.jsonl.torn-${noon}`;
}

describe('quarantined bytes without a recovered record [F6]', () => {
  it('are reported with size and hash when larger than a block', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, `{"torn ${'x'.repeat(3_000_000)}`);
    const file = failToTell(folder);
    await writeAll(folder, ['b']);
    expect(await told(folder)).toEqual([kept(folder, file)]);
  });

  it('are reported once, even if the record is far from the end of a long segment', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, '{"torn');
    const sink = auditFile(folder.path, { durability: 'buffered' });
    const scope = Array.from({ length: 12 }, () => 'x'.repeat(900));
    await Promise.all(Array.from({ length: 120 }, (_, index) => sink.write(event(`${index}`, { scope }))));
    await sink.close?.();
    await writeAll(folder, ['b']);
    expect(readFileSync(folder.log).length).toBeGreaterThan(1024 ** 2);
    expect(await told(folder)).toHaveLength(1);
  });

  it.each([1, 40, 100, 250])(
    'are known as reported when the record crosses two blocks, %i bytes in the first',
    (before) => {
      using folder = temporaryFolder();
      const file = `audit-000001.jsonl.torn-${noon}`;
      writeFileSync(join(folder.path, file), 'x');
      const recovered = { bytes: 1, sha256: 'f'.repeat(64), file };
      const record = JSON.stringify({ sequence: 9, phase: 'recovered', recovered, prev: '0'.repeat(64) });
      writeFileSync(folder.log, `${'x'.repeat(1024 ** 2 - before - 1)}\n${record}\n`);
      expect(unreportedTornBytes(folder.path, { number: 1, validBytes: Infinity })).toEqual([]);
      writeFileSync(folder.log, `${'x'.repeat(1024 ** 2 - before - 1)}\n${record.replace('recovered', 'decision')}\n`);
      expect(unreportedTornBytes(folder.path, { number: 1, validBytes: Infinity })).toEqual([kept(folder, file)]);
    },
  );

  it('are reported when only torn bytes look like their record', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, '{"torn');
    const file = failToTell(folder);
    const record = { sequence: 4, phase: 'recovered', recovered: { file }, prev: '0'.repeat(64) };
    appendFileSync(folder.log, `${JSON.stringify(record)}\n`);
    await writeAll(folder, ['b']);
    expect((await told(folder)).map((one) => one.file)).toEqual([file, expect.stringContaining('.torn-')]);
    expect((await told(folder))[0]).toEqual(kept(folder, file));
    expect(await verify(folder)).toMatchObject({ ok: true });
  });

  it('are not reported again when the segment was archived with its record', async () => {
    using folder = temporaryFolder();
    const options = { maxSegmentBytes: 2048 };
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, '{"torn');
    await writeAll(folder, ['b', 'c', 'd', 'e'], options);
    expect(await told(folder)).toHaveLength(1);
    while (segments(folder).length > 1) rmSync(join(folder.path, segments(folder)[0]!));
    expect(segments(folder)).toEqual(['audit-000002.jsonl']);
    await writeAll(folder, ['f']);
    expect(readFileSync(join(folder.path, 'audit-000002.jsonl'), 'utf8')).not.toContain('"recovered"');
  });

  it('overwrite no file, nor a dangling link', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, '{"torn');
    symlinkSync(join(folder.path, 'nowhere'), `${folder.log}.torn-${noon}`);
    await writeAll(folder, ['b'], atNoon);
    expect(await told(folder)).toEqual([kept(folder, `audit-000001.jsonl.torn-${noon}-2`)]);
    expect(readFileSync(`${folder.log}.torn-${noon}-2`, 'utf8')).toBe('{"torn');
    expect(readdirSync(folder.path)).not.toContain('nowhere');
  });
});

describe('files that another user names like torn bytes [F6]', () => {
  it('do not delay a start when there are a thousand', { timeout: 30_000 }, async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    for (let count = 2; count < 1002; count++) writeFileSync(`${folder.log}.torn-${noon}-${count}`, 'x');
    await writeAll(folder, []);
    await writeAll(folder, []);
    expect(await told(folder)).toHaveLength(1000);
  });

  it('do not stop a start, and are not reported, when larger than any of ours', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    writeFileSync(`${folder.log}.torn-${noon}`, '');
    truncateSync(`${folder.log}.torn-${noon}`, 3 * 1024 ** 3);
    writeFileSync(`${folder.log}.torn-${noon}-2`, 'x');
    await writeAll(folder, ['b']);
    expect(await told(folder)).toEqual([kept(folder, `audit-000001.jsonl.torn-${noon}-2`)]);
  });
});
