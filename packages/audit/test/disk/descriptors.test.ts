import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../bundle.js';
import { type Folder, temporaryFolder } from '../events.js';
import { segments, verify } from '../log-folder.js';

let programs: Folder;
let writer: string;

beforeAll(async () => {
  programs = temporaryFolder();
  writer = await bundle(new URL('../starved-writer.ts', import.meta.url), programs.path);
});

afterAll(() => programs[Symbol.dispose]());

async function starve(spare: number, kind: string, folder: Folder): Promise<unknown> {
  const limited = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, writer, `${spare}`, kind, folder.path];
  return JSON.parse((await promisify(execFile)('sh', limited)).stdout) as unknown;
}

// With one descriptor the file can be made, but its folder cannot be synced.
describe.runIf(existsSync('/proc/self/fd')).each([0, 1])('while the number of free descriptors is %i [F4]', (spare) => {
  it('a log refuses records that need a segment, and goes on afterwards [F4]', async () => {
    using folder = temporaryFolder();
    expect(await starve(spare, 'log', folder)).toEqual({
      answers: ['written', 'refused', 'refused', 'refused', 'written', 'written'],
      leaked: 0,
    });
    expect(segments(folder)).toHaveLength(3);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });

  it('a spool refuses lines that need a file, leaves none behind, and goes on afterwards [F4]', async () => {
    using folder = temporaryFolder();
    expect(await starve(spare, 'spool', folder)).toEqual({
      answers: ['written', 'refused', 'refused', 'refused', 'written', 'written'],
      leaked: 0,
    });
    expect(segments(folder).filter((name) => statSync(join(folder.path, name)).size === 0)).toEqual([]);
  });
});
