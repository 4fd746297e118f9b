import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyLog } from '@countersign/audit-verifier';
import { describe, expect, it } from 'vitest';
import { type FileOperations, fileOperations } from '../../src/disk/append-file.js';
import { auditFile, auditFileWith } from '../../src/log/audit-file.js';
import { lockLog } from '../../src/disk/log-lock.js';
import { ConfigError } from '@countersign/common';
import { event, temporaryFolder } from '../events.js';

describe('the lock of a log', () => {
  it('refuses a start while its process lives, and is taken over when it has died [F6]', async () => {
    using folder = temporaryFolder();
    const other = spawn('sleep', ['60']);
    const started = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${startOf(other.pid!)}`;
    const lock = lockLog(folder.path);
    const mine = JSON.parse(readFileSync(lockOf(folder.path), 'utf8')) as object;
    lock.release();
    writeFileSync(lockOf(folder.path), JSON.stringify({ ...mine, pid: other.pid, started }));
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(() => auditFile(folder.path)).toThrow(
      new RegExp(`written already, by process ${other.pid}\\. .*its own folder`),
    );
    other.kill('SIGKILL');
    await once(other, 'exit');
    const sink = auditFile(folder.path);
    await sink.write(event('a'));
    await sink.close?.();
  });

  it('is taken over when another process has the pid of its owner [F6]', () => {
    using folder = temporaryFolder();
    const lock = lockLog(folder.path);
    const mine = JSON.parse(readFileSync(lockOf(folder.path), 'utf8')) as object;
    lock.release();
    writeFileSync(lockOf(folder.path), JSON.stringify({ ...mine, started: 'before/1' }));
    lockLog(folder.path).release();
    for (const rubbish of ['', 'null', '{', '{"pid":"1"}', '{"pid":1e99}']) {
      writeFileSync(lockOf(folder.path), rubbish);
      lockLog(folder.path).release();
    }
  });

  it('is not released by its former owner [F6]', () => {
    using folder = temporaryFolder();
    const lock = lockLog(folder.path);
    writeFileSync(lockOf(folder.path), 'somebody else');
    lock.release();
    expect(readFileSync(lockOf(folder.path), 'utf8')).toBe('somebody else');
  });

  it('is lost when another file takes its place, even with the same content [F6]', () => {
    using folder = temporaryFolder();
    const lock = lockLog(folder.path);
    expect(lock.isHeld).toBe(true);
    const mine = readFileSync(lockOf(folder.path), 'utf8');
    rmSync(lockOf(folder.path));
    expect(lock.isHeld).toBe(false);
    writeFileSync(lockOf(folder.path), mine);
    expect(lock.isHeld).toBe(false);
    lock.release();
  });

  it('is taken over by the later process when it cannot be judged, and the log stays intact [F6, G5]', async () => {
    using folder = temporaryFolder();
    const old = auditFile(folder.path, { onTrouble() {} });
    await old.write(event('a'));
    rmSync(lockOf(folder.path));
    const young = auditFile(folder.path);
    await young.write(event('b'));
    for (const id of ['c', 'd']) {
      await expect(old.write(event(id))).rejects.toMatchObject({ code: 'file_replaced' });
    }
    await young.write(event('e'));
    await old.close?.();
    await young.write(event('f'));
    await young.close?.();
    const after = auditFile(folder.path);
    await after.write(event('g'));
    await after.close?.();
    expect(namesIn(readFileSync(folder.log, 'utf8')).filter((one) => one.length === 1)).toEqual([
      'a',
      'b',
      'e',
      'f',
      'g',
    ]);
    const key = readFileSync(join(folder.path, 'checkpoint.vkey'), 'utf8');
    expect(await verifyLog(folder.path, { key })).toMatchObject({ ok: true, findings: [] });
  });

  it('stops the start, and stays in place, when it is not a regular file [G5]', () => {
    using folder = temporaryFolder();
    mkdirSync(lockOf(folder.path));
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(() => auditFile(folder.path)).toThrow(/audit\.lock' is not a regular file.*move it away/);
    expect(readdirSync(folder.path)).toEqual(['audit.lock']);
  });
});

/** Counts what happens to the disk, in order: a record in the file, a sync that has ended. */
function watched(): { operations: FileOperations; happened: string[] } {
  const happened: string[] = [];
  return {
    happened,
    operations: {
      ...fileOperations,
      write(descriptor, bytes) {
        const written = fileOperations.write(descriptor, bytes);
        happened.push(...namesIn(Buffer.from(bytes).toString('utf8')));
        return written;
      },
      async sync(descriptor) {
        await fileOperations.sync(descriptor);
        happened.push('sync');
      },
    },
  };
}

async function writeTwice(durability: 'sync' | 'group' | 'buffered'): Promise<string[]> {
  using folder = temporaryFolder();
  const { operations, happened } = watched();
  const sink = auditFileWith(operations, folder.path, { durability });
  happened.length = 0;
  const answered = async (id: string): Promise<void> => {
    await sink.write(event(id));
    happened.push(`answered ${id}`);
  };
  await Promise.all([answered('a'), answered('b')]);
  const seen = [...happened];
  await sink.close?.();
  return seen;
}

describe('durability [F4]', () => {
  it('group: one sync acknowledges all waiting records', async () => {
    expect(await writeTwice('group')).toEqual(['a', 'b', 'sync', 'answered a', 'answered b']);
  });

  it('sync: each record is acknowledged after its own sync', async () => {
    expect(await writeTwice('sync')).toEqual(['a', 'sync', 'answered a', 'b', 'sync', 'answered b']);
  });

  it('a full disk at a rotation refuses records until there is space', async () => {
    using folder = temporaryFolder();
    let full = true;
    const operations: FileOperations = {
      ...fileOperations,
      write(descriptor, bytes) {
        if (full && Buffer.from(bytes).includes('"number":2')) {
          throw Object.assign(new Error('ENOSPC: made to fail'), { code: 'ENOSPC' });
        }
        return fileOperations.write(descriptor, bytes);
      },
    };
    const sink = auditFileWith(operations, folder.path, { maxSegmentBytes: 1024 });
    await sink.write(event('a'));
    await sink.write(event('b'));
    await expect(sink.write(event('c'))).rejects.toMatchObject({ code: 'write_failed' });
    full = false;
    await sink.write(event('d'));
    await sink.close?.();
    const written = readFileSync(join(folder.path, 'audit-000002.jsonl'), 'utf8');
    expect(namesIn(written)).toEqual(['segment', 'checkpoint', 'd', 'checkpoint']);
  });

  it('buffered: records are acknowledged without a sync, and sealed only after one', async () => {
    expect(await writeTwice('buffered')).toEqual(['a', 'b', 'answered a', 'answered b']);
    using folder = temporaryFolder();
    const { operations, happened } = watched();
    const sink = auditFileWith(operations, folder.path, { durability: 'buffered' });
    happened.length = 0;
    await sink.write(event('a'));
    await sink.close?.();
    expect(happened).toEqual(['a', 'sync', 'note', 'sync', 'checkpoint', 'sync']);
  });
});

/** The ids of records, or what else is written. */
function namesIn(text: string): string[] {
  if (!text.startsWith('{')) return ['note'];
  return text
    .trimEnd()
    .split('\n')
    .map((line) => /"(?:id|phase)":"([^"]*)"/.exec(line)?.[1] ?? line);
}

function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
}

function lockOf(directory: string): string {
  return join(directory, 'audit.lock');
}
