import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
});
