import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditFile, auditFileWith } from '../../src/log/audit-file.js';
import { readWholeAuditLog } from '../../src/log/read-audit-log.js';
import { ConfigError } from '@countersign/common';
import { event, type Folder, temporaryFolder } from '../events.js';
import { fullFor } from '../disk/faults.js';
import { contents, lastSegment, segments, verify, writeAll } from '../log-folder.js';

function tornFiles(folder: Folder): string[] {
  return readdirSync(folder.path).filter((name) => name.includes('.torn-'));
}

async function recovered(folder: Folder): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const record of readWholeAuditLog(folder.path))
    if (record.phase === 'recovered') found.push(record.recovered);
  return found;
}

function asKept(folder: Folder): unknown[] {
  return tornFiles(folder).map((file) => {
    const bytes = readFileSync(join(folder.path, file));
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), file };
  });
}

function remove(folder: Folder, ...names: readonly string[]): void {
  for (const name of names) rmSync(join(folder.path, name));
}

function removeSegments(folder: Folder): void {
  remove(folder, ...segments(folder));
}

describe('a start that fails after it has truncated a torn end [F6]', () => {
  it('leaves the report of the torn bytes to the next start', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, '{"sequence":4,"id":"to');
    for (let start = 0; start < 2; start++) {
      expect(() => auditFileWith(fullFor('"recovered"'), folder.path, {})).toThrow(/cannot be written \(ENOSPC\)/);
    }
    expect(readFileSync(folder.log, 'utf8')).not.toContain('"to');
    await writeAll(folder, ['b']);
    await writeAll(folder, ['c']);
    const first = ['segment', 'a', 'checkpoint', 'recovered', 'b', 'checkpoint'];
    expect(await contents(folder)).toEqual([...first, 'c', 'checkpoint']);
    expect(asKept(folder)).toHaveLength(1);
    expect(await recovered(folder)).toEqual(asKept(folder));
    expect(await verify(folder)).toMatchObject({ ok: true, remarks: [expect.stringContaining('22 torn bytes')] });
  });

  it('quarantines the bytes once when it fails before the truncation', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    const torn = '{"sequence":4,"id":"to';
    appendFileSync(folder.log, torn);
    writeFileSync(`${folder.log}.torn-2026-11-24T12-00-00.000Z`, torn);
    // What a crash leaves of a copy that it interrupted is no copy.
    writeFileSync(`${folder.log}.torn-2026-11-24T12-00-00.000Z.4711`, torn.slice(0, 3));
    await writeAll(folder, ['b']);
    expect(tornFiles(folder)).toHaveLength(2);
    expect(await recovered(folder)).toEqual([
      expect.objectContaining({ bytes: 22, file: 'audit-000001.jsonl.torn-2026-11-24T12-00-00.000Z' }),
    ]);
  });

  it('reports a segment without a complete first record later', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    writeFileSync(join(folder.path, 'audit-000002.jsonl'), '{"torn');
    expect(() => auditFileWith(fullFor('"recovered"'), folder.path, {})).toThrow(ConfigError);
    expect(segments(folder)).toEqual(['audit-000001.jsonl']);
    await writeAll(folder, ['b', 'c'], { maxSegmentBytes: 1024 });
    expect(segments(folder).length).toBeGreaterThan(1);
    await writeAll(folder, []);
    expect(await recovered(folder)).toEqual(asKept(folder));
    expect(asKept(folder)).toMatchObject([{ bytes: 6 }]);
    expect(await verify(folder)).toMatchObject({ ok: true });
  });

  it('reports the torn bytes of the first segment later', async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, '{"sequ');
    expect(() => auditFileWith(fullFor('"segment"'), folder.path, {})).toThrow(ConfigError);
    expect(() => auditFileWith(fullFor('"recovered"'), folder.path, {})).toThrow(ConfigError);
    await writeAll(folder, ['a']);
    await writeAll(folder, []);
    expect((await contents(folder)).slice(0, 4)).toEqual(['segment', 'recovered', 'a', 'checkpoint']);
    expect(await recovered(folder)).toEqual(asKept(folder));
  });

  it('overwrites no quarantined bytes when the clock stands still', async () => {
    using folder = temporaryFolder();
    const noon = { clock: () => Date.parse('2026-11-24T12:00:00Z') };
    for (const id of ['a', 'b', 'c']) {
      await writeAll(folder, [id], noon);
      appendFileSync(lastSegment(folder), `{"torn ${id}`);
    }
    await writeAll(folder, [], noon);
    for (const torn of ['{', '{"']) {
      writeFileSync(join(folder.path, 'audit-000002.jsonl'), torn);
      await writeAll(folder, [], noon);
    }
    expect(asKept(folder)).toHaveLength(5);
    expect(await recovered(folder)).toEqual(asKept(folder));
  });
});

describe('an empty file of the name of the next segment [F4]', () => {
  it('is taken as a failed start of it', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path, { maxSegmentBytes: 1024 });
    await sink.write(event('a'));
    writeFileSync(join(folder.path, 'audit-000002.jsonl'), '');
    await sink.write(event('b', { detail: 'x'.repeat(1024) }));
    await sink.write(event('c'));
    await sink.close?.();
    expect(segments(folder).length).toBeGreaterThan(1);
    expect((await contents(folder)).filter((one) => one.length === 1)).toEqual(['a', 'b', 'c']);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });

  it('is not overwritten when it holds something', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path, { maxSegmentBytes: 1024 });
    await sink.write(event('a', { detail: 'x'.repeat(1024) }));
    const next = join(folder.path, 'audit-000002.jsonl');
    writeFileSync(next, 'x');
    await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'write_failed' });
    expect(readFileSync(next, 'utf8')).toBe('x');
    await sink.close?.();
  });
});

describe('no new log is started in a folder without segments but with [F6, G5]', () => {
  it.each<[string, (folder: Folder) => void, RegExp]>([
    ['checkpoints', removeSegments, /holds no records, but records 1 to 3 were sealed/],
    [
      'checkpoints and no key',
      (folder) => {
        removeSegments(folder);
        remove(folder, 'checkpoint-key.pem', 'checkpoint.vkey');
      },
      /holds no records, but records 1 to 3 were sealed/,
    ],
    [
      'unreadable checkpoints',
      (folder) => {
        removeSegments(folder);
        writeFileSync(join(folder.path, 'checkpoints.txt'), 'junk');
      },
      /holds no records, but there is a 'checkpoints\.txt'/,
    ],
    [
      'a verifier key',
      (folder) => {
        removeSegments(folder);
        remove(folder, 'checkpoints.txt');
      },
      /holds no records, but there is a 'checkpoint\.vkey'/,
    ],
    ['half of a first record', (folder) => truncateSync(folder.log, 20), /records 1 to 3 were sealed/],
  ])('%s', async (_name, tamper, message) => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a', 'b'], { origin: 'acme.dev/audit' });
    tamper(folder);
    for (const origin of [undefined, 'acme.dev/audit']) {
      const options = origin === undefined ? {} : { origin };
      expect(() => auditFile(folder.path, options)).toThrow(ConfigError);
      expect(() => auditFile(folder.path, options)).toThrow(message);
    }
    expect(segments(folder)).toEqual([]);
    expect(existsSync(join(folder.path, 'audit.lock'))).toBe(false);
  });

  it('a new log is started in a folder that a crash left at the first start', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, []);
    remove(folder, 'audit-000001.jsonl', 'checkpoints.txt', 'checkpoint.vkey');
    writeFileSync(join(folder.path, 'checkpoints.txt'), '');
    writeFileSync(join(folder.path, 'audit.lock'), '{"pid":1,"started":"before/1"}');
    await writeAll(folder, ['a']);
    expect(await verify(folder)).toMatchObject({ ok: true });
  });
});

describe('the drafts of a killed start [F6]', () => {
  it('are removed by the next start, except those of a live process and unknown files', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    const { pid: dead } = spawnSync(process.execPath, ['--version']);
    const left = ['audit.lock', 'audit.lock.stale-', 'checkpoint-key.pem', 'checkpoint.vkey'].map(
      (name) => `${name}${name.endsWith('-') ? '' : '.'}${dead}`,
    );
    const kept = [`audit.lock.${process.ppid}`, `notes.${dead}`, 'checkpoint-key.pem.old'];
    for (const name of [...left, ...kept]) writeFileSync(join(folder.path, name), 'draft');
    await writeAll(folder, ['b']);
    const names = readdirSync(folder.path);
    expect(names).toEqual(expect.arrayContaining(kept));
    expect(names.filter((name) => left.includes(name))).toEqual([]);
    expect(await verify(folder)).toMatchObject({ ok: true });
  });
});

describe('a log whose key is missing [F6, G5]', () => {
  it('gets no new key in its folder, and continues once the key is back', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    const keyFile = join(folder.path, 'checkpoint-key.pem');
    const key = readFileSync(keyFile, 'utf8');
    rmSync(keyFile);
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(() => auditFile(folder.path)).toThrow(/'.*checkpoint-key\.pem'\. Put this file back as it was/);
    expect(existsSync(keyFile)).toBe(false);
    writeFileSync(keyFile, key, { mode: 0o600 });
    await writeAll(folder, ['b']);
    expect(await verify(folder)).toMatchObject({ ok: true });
  });

  it('gets no new key elsewhere', async () => {
    using folder = temporaryFolder();
    using keys = temporaryFolder();
    await writeAll(folder, ['a'], { checkpointKey: join(keys.path, 'audit.pem') });
    const elsewhere = join(keys.path, 'other.pem');
    expect(() => auditFile(folder.path, { checkpointKey: elsewhere })).toThrow(/other\.pem/);
    expect(() => auditFile(folder.path)).toThrow(/name the one that the log was begun with as `checkpointKey`/);
    expect(readdirSync(keys.path)).toEqual(['audit.pem']);
    expect(readdirSync(folder.path)).not.toContain('checkpoint-key.pem');
  });
});
