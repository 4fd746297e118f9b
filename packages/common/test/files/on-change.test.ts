import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { onChange } from '../../src/files/on-change.js';

let root: string;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  root = await mkdtemp(join(tmpdir(), 'countersign-watch-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(root, { recursive: true });
});

const folders: readonly (readonly [name: string, make: (name: string) => Promise<unknown>])[] = [
  [
    'a link',
    async (name) => {
      await mkdir(join(root, `of-${name}`));
      await symlink(`of-${name}`, join(root, name));
    },
  ],
  ['a folder', (name) => mkdir(join(root, name))],
];

describe('onChange', () => {
  it.each(folders)(
    'notices at once what changes behind %s that has been swapped, after a poll',
    async (_kind, make) => {
      await make('policies');
      const check = vi.fn();
      const stop = onChange(join(root, 'policies'), 5, check);
      await make('next');
      await rename(join(root, 'policies'), join(root, 'old'));
      await rename(join(root, 'next'), join(root, 'policies'));
      vi.advanceTimersByTime(5000);
      // No poll comes any more.
      vi.useRealTimers();
      await setImmediate();
      check.mockClear();
      await writeFile(join(root, 'policies', 'a.cedar'), '');
      await vi.waitFor(() => expect(check).toHaveBeenCalled(), patiently);
      stop();
    },
  );
});
