import { linkSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createAtomically } from '../../src/disk/atomic-file.js';
import { temporaryFolder } from '../events.js';

/** The system call, where the file system has no links. */
function failWith(code: string): typeof linkSync {
  return () => {
    throw Object.assign(new Error(`${code}: made to fail`), { code });
  };
}

describe('createAtomically', () => {
  it.each<[string, typeof linkSync]>([
    ['with links', linkSync],
    ...['EPERM', 'ENOTSUP', 'ENOSYS'].map((code): [string, typeof linkSync] => [
      `without links: ${code}`,
      failWith(code),
    ]),
  ])('creates a file once, %s', (_name, link) => {
    using folder = temporaryFolder();
    expect(createAtomically(folder.log, 'one', link)).toBe(true);
    expect(createAtomically(folder.log, 'two', link)).toBe(false);
    expect(readFileSync(folder.log, 'utf8')).toBe('one');
    expect(statSync(folder.log).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder.path)).toEqual(['audit-000001.jsonl']);
  });

  it('throws the error of the disk', () => {
    using folder = temporaryFolder();
    expect(() => createAtomically(folder.log, 'one', failWith('EIO'))).toThrow('EIO');
    expect(readdirSync(folder.path)).toEqual([]);
  });
});
