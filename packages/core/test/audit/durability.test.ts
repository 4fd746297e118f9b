import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditFile } from '../../src/audit/audit-file.js';
import { lockLog } from '../../src/audit/log-lock.js';
import { ConfigError } from '../../src/config-error.js';
import { event, temporaryFolder } from './events.js';

describe('one process writes a log', () => {
  const lockOf = (directory: string): string => join(directory, 'audit.lock');

  it('F6 another live process holds it: the start is refused; when that has died it is taken over', async () => {
    using folder = temporaryFolder();
    const other = spawn('sleep', ['60']);
    const started = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${startOf(other.pid!)}`;
    const unlock = lockLog(folder.path);
    const mine = JSON.parse(readFileSync(lockOf(folder.path), 'utf8')) as object;
    unlock();
    writeFileSync(lockOf(folder.path), JSON.stringify({ ...mine, pid: other.pid, started }));
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(() => auditFile(folder.path)).toThrow(/written already.*its own folder/s);
    other.kill('SIGKILL');
    await once(other, 'exit');
    const sink = auditFile(folder.path);
    await sink.write(event('a'));
    await sink.close?.();
  });

  it('F6 a number that another process has by now is no owner', () => {
    using folder = temporaryFolder();
    const unlock = lockLog(folder.path);
    const lock = JSON.parse(readFileSync(lockOf(folder.path), 'utf8')) as object;
    unlock();
    writeFileSync(lockOf(folder.path), JSON.stringify({ ...lock, started: 'before/1' }));
    lockLog(folder.path)();
    for (const rubbish of ['', 'null', '{', '{"pid":"1"}', '{"pid":1e99}']) {
      writeFileSync(lockOf(folder.path), rubbish);
      lockLog(folder.path)();
    }
  });

  it('F6 a lock that was taken over is not given back by the one before', () => {
    using folder = temporaryFolder();
    const unlock = lockLog(folder.path);
    writeFileSync(lockOf(folder.path), 'somebody else');
    unlock();
    expect(readFileSync(lockOf(folder.path), 'utf8')).toBe('somebody else');
  });

  it('G5 a lock that cannot be made stops the start', () => {
    using folder = temporaryFolder();
    mkdirSync(lockOf(folder.path));
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
  });
});

function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
}
