import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileWitness } from '../../src/witnesses/file-witness.js';
import { bundle } from '../bundle.js';
import { type Folder, temporaryFolder } from '../events.js';
import { writeAll } from '../log-folder.js';

let programs: Folder;
let program: string;

beforeAll(async () => {
  programs = temporaryFolder();
  program = await bundle(new URL('../start-writer.ts', import.meta.url), programs.path);
});
afterAll(() => programs[Symbol.dispose]());

/** In a process of its own: a start that opens a pipe would never return. */
function start(...words: readonly string[]): string {
  const { stdout, error } = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8', timeout: 20_000 });
  if (error !== undefined) throw error;
  return stdout;
}

function putPipe(path: string): void {
  rmSync(path, { force: true });
  execFileSync('mkfifo', [path]);
}

const names = ['checkpoint-key.pem', 'checkpoints.txt', 'audit.lock', 'checkpoint.vkey'];

describe.skipIf(process.platform === 'win32')('a pipe in place of a file of the log [K5, K7]', () => {
  it.each(names)('stops the start of a new log, and stays, when it is named %s', (name) => {
    using folder = temporaryFolder();
    const path = join(folder.path, name);
    putPipe(path);
    expect(start(folder.path)).toMatch(/^ConfigError: auditFile: .*(not a regular file|there is a 'checkpoint.vkey')/);
    expect(lstatSync(path).isFIFO()).toBe(true);
  });

  it.each(names)('stops the start of an old log, and stays, when it is named %s', async (name) => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    const path = join(folder.path, name);
    putPipe(path);
    expect(start(folder.path)).toMatch(/^ConfigError: auditFile: .*not a regular file/);
    expect(lstatSync(path).isFIFO()).toBe(true);
  });

  it('stops the start, and stays, when checkpointKey names it', () => {
    using folder = temporaryFolder();
    using keys = temporaryFolder();
    const path = join(keys.path, 'key.pem');
    putPipe(path);
    expect(start(folder.path, path)).toMatch(/^ConfigError: auditFile: .*not a regular file/);
    expect(lstatSync(path).isFIFO()).toBe(true);
  });
});

it('an empty key file is replaced, but not a link to one [K7]', () => {
  using folder = temporaryFolder();
  using keys = temporaryFolder();
  const [path, link] = [join(keys.path, 'key.pem'), join(keys.path, 'link.pem')];
  writeFileSync(path, '');
  symlinkSync(path, link);
  expect(start(folder.path, link)).toMatch(/not a regular file/);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(start(folder.path, path)).toBe('started');
  expect(start(folder.path, link)).toBe('started');
});

describe.skipIf(process.platform === 'win32')('a pipe in place of the file of a witness [K5]', () => {
  it('stops the start', () => {
    using folder = temporaryFolder();
    putPipe(join(folder.path, 'pipe'));
    expect(() => fileWitness(join(folder.path, 'pipe'))).toThrow(/fileWitness: .*not a regular file/);
  });

  it('is a failure when it is put there later', async () => {
    using folder = temporaryFolder();
    const witness = fileWitness(join(folder.path, 'pipe'));
    putPipe(join(folder.path, 'pipe'));
    await expect(witness.receive('note')).rejects.toThrow(/not a regular file/);
  });
});
