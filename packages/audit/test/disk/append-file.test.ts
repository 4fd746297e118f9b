import { appendFileSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { AppendFile, type FileOperations, fileOperations } from '../../src/disk/append-file.js';
import { Deferred } from '../../../core/test/deferred.js';
import { temporaryFolder } from '../events.js';

const { O_APPEND, O_CREAT, O_RDWR } = constants;

function open(path: string, faults: Partial<FileOperations>): AppendFile {
  return new AppendFile(path, openSync(path, O_RDWR | O_APPEND | O_CREAT, 0o600), { ...fileOperations, ...faults });
}

function failWith(code: string): never {
  throw Object.assign(new Error(`${code}: made to fail`), { code });
}

describe('AppendFile', () => {
  it('resolves an append only after the sync [F4]', async () => {
    using folder = temporaryFolder();
    const synced = new Deferred();
    const file = open(folder.log, { sync: () => synced.promise });
    let done = false;
    const appended = file.append(Buffer.from('one\n')).then(() => {
      done = true;
    });
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(readFileSync(folder.log, 'utf8')).toBe('one\n');
    expect(done).toBe(false);
    synced.resolve();
    await appended;
    file.close();
  });

  it('completes short writes', async () => {
    using folder = temporaryFolder();
    const file = open(folder.log, {
      write: (descriptor, bytes) => writeSync(descriptor, bytes, 0, Math.min(3, bytes.length)),
    });
    await file.append(Buffer.from('in small pieces\n'));
    file.close();
    expect(readFileSync(folder.log, 'utf8')).toBe('in small pieces\n');
  });

  it('rolls half a record back when the disk is full, and continues when there is space [F4]', async () => {
    using folder = temporaryFolder();
    let space = 10;
    const file = open(folder.log, {
      write(descriptor, bytes) {
        if (space === 0) failWith('ENOSPC');
        const written = writeSync(descriptor, bytes, 0, Math.min(space, bytes.length));
        space -= written;
        return written;
      },
    });
    await file.append(Buffer.from('one\n'));
    await expect(file.append(Buffer.from('two, longer\n'))).rejects.toMatchObject({ code: 'write_failed' });
    expect(readFileSync(folder.log, 'utf8')).toBe('one\n');
    space = 100;
    await file.append(Buffer.from('three\n'));
    file.close();
    expect(readFileSync(folder.log, 'utf8')).toBe('one\nthree\n');
  });

  it('refuses every append after a failed sync [F4]', async () => {
    using folder = temporaryFolder();
    let healthy = false;
    const file = open(folder.log, { sync: async () => (healthy ? undefined : failWith('EIO')) });
    await expect(file.append(Buffer.from('one\n'))).rejects.toMatchObject({ code: 'sync_failed' });
    healthy = true;
    await expect(file.append(Buffer.from('two\n'))).rejects.toMatchObject({ code: 'sync_failed' });
    file.close();
    expect(readFileSync(folder.log, 'utf8')).toBe('one\n');
  });

  it('removes no bytes when another process has written meanwhile [F6]', async () => {
    using folder = temporaryFolder();
    const file = open(folder.log, {
      write() {
        appendFileSync(folder.log, 'another writer\n');
        return failWith('ENOSPC');
      },
    });
    await expect(file.append(Buffer.from('one\n'))).rejects.toMatchObject({ code: 'file_replaced' });
    await expect(file.append(Buffer.from('two\n'))).rejects.toMatchObject({ code: 'file_replaced' });
    file.close();
    expect(readFileSync(folder.log, 'utf8')).toBe('another writer\n');
  });

  it('writes nothing once another process has written [F6]', async () => {
    using folder = temporaryFolder();
    const file = open(folder.log, {});
    await file.append(Buffer.from('one\n'));
    appendFileSync(folder.log, 'another writer\n');
    await expect(file.append(Buffer.from('two\n'))).rejects.toMatchObject({ code: 'file_replaced' });
    expect(readFileSync(folder.log, 'utf8')).toBe('one\nanother writer\n');
    await expect(file.makeDurable()).rejects.toMatchObject({ code: 'file_replaced' });
    file.close();
  });

  it.each([
    ['before ours, which is removed', 'before', 'one\nanother writer\n'],
    ['behind ours, and removes nothing', 'behind', 'one\ntwo\nanother writer\n'],
  ])('refuses an append when another process writes at the same moment %s [F6]', async (_name, when, left) => {
    using folder = temporaryFolder();
    const file = open(folder.log, {
      write(descriptor, bytes) {
        const meddles = Buffer.from(bytes).includes('two');
        if (meddles && when === 'before') appendFileSync(folder.log, 'another writer\n');
        const written = fileOperations.write(descriptor, bytes);
        if (meddles && when === 'behind') appendFileSync(folder.log, 'another writer\n');
        return written;
      },
    });
    await file.append(Buffer.from('one\n'));
    await expect(file.append(Buffer.from('two\n'))).rejects.toMatchObject({ code: 'file_replaced' });
    file.close();
    expect(readFileSync(folder.log, 'utf8')).toBe(left);
  });
});
