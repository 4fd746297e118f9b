import { join } from 'node:path';
import { readdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { guarded } from '../../../../../test/support/guarded.js';
import { spoolFolder } from './spools.js';

describe('where and how much of a body is kept', () => {
  it.each([
    ['no number', '1mb'],
    ['a negative number', -1],
    ['more than memory', 2 ** 40],
  ])('memoryBodyBytes is refused: %s [G5]', async (_name, memoryBodyBytes) => {
    await expect(guarded({ memoryBodyBytes: memoryBodyBytes as number })).rejects.toThrow(/'memoryBodyBytes'/);
  });

  it('a folder for large bodies must be one, now and not at the first of them [G5]', async () => {
    const folder = spoolFolder();
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const spoolDirectory of [file, join(folder, 'none'), '', 5 as unknown as string]) {
      const created = guarded({ spoolDirectory });
      await expect(created).rejects.toMatchObject({ name: 'ConfigError' });
      await expect(created).rejects.toThrow(/'spoolDirectory' must be a directory/);
    }
    await expect(guarded({ spoolDirectory: folder })).resolves.toBeDefined();
  });

  it('the temporary directory of the system is checked at the start too, and nothing is left there [G5]', async () => {
    const folder = spoolFolder();
    onTestFinished(() => void vi.unstubAllEnvs());
    for (const name of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(name, join(folder, 'none'));
    const created = guarded();
    await expect(created).rejects.toMatchObject({ name: 'ConfigError' });
    await expect(created).rejects.toThrow(/temporary directory, .*none, .*Make it writable, or name another folder/);
    await expect(guarded({ spoolDirectory: folder })).resolves.toBeDefined();
    // No body is held then.
    await expect(guarded({ maxBodyBytes: 0 })).resolves.toBeDefined();
    for (const name of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(name, folder);
    await expect(guarded()).resolves.toBeDefined();
    expect(readdirSync(folder)).toEqual([]);
  });
});
