import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listFolder, readRegularFile } from '../../src/files/regular-file.js';

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-files-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('readRegularFile', () => {
  it('reads a file, also through a link, and says when it was changed', async () => {
    const folder = await temporaryFolder();
    const before = Date.now();
    await writeFile(join(folder, 'a'), 'text');
    await symlink('a', join(folder, 'b'));
    for (const name of ['a', 'b']) {
      const { value, changedMs } = await readRegularFile(join(folder, name));
      expect(String(value)).toBe('text');
      expect(Math.abs(changedMs - before)).toBeLessThan(10_000);
    }
  });

  it.each([0, 1, 512 * 1024, 512 * 1024 + 1, 3_000_000])('reads all %i bytes of a file', async (size) => {
    const path = join(await temporaryFolder(), 'a');
    const bytes = Buffer.from(Array.from({ length: size }, (_, at) => at % 251));
    await writeFile(path, bytes);
    expect((await readRegularFile(path)).value.equals(bytes)).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('refuses a pipe, a socket, a device and a folder [K5]', async () => {
    const folder = await temporaryFolder();
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await mkdir(join(folder, 'folder'));
    const server = createServer().listen(join(folder, 'socket'));
    onTestFinished(() => void server.close());
    for (const path of [join(folder, 'pipe'), '/dev/zero', join(folder, 'folder')]) {
      await expect(readRegularFile(path)).rejects.toThrow(`'${path}' is not a regular file`);
    }
    await expect(readRegularFile(join(folder, 'socket'))).rejects.toThrow(/ENXIO/);
  });
});

describe('listFolder', () => {
  it('names what is in a folder, in order', async () => {
    const folder = await temporaryFolder();
    for (const name of ['b', 'a', 'c']) await writeFile(join(folder, name), '');
    expect((await listFolder(folder)).value).toEqual(['a', 'b', 'c']);
    await expect(listFolder(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
  });
});
