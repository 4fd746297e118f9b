import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type CliResult, runCli } from '../../run-cli.js';

export interface InFolder {
  /** Writes files of the application. */
  readonly put: (files: Readonly<Record<string, string>>) => Promise<void>;
  readonly init: (...args: string[]) => Promise<CliResult>;
  readonly run: (...args: string[]) => Promise<CliResult>;
  readonly read: (path: string) => Promise<string>;
  readonly path: (path: string) => string;
}

/** A folder of its own for each test. */
export function inFolder(): InFolder {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-init-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  return {
    async put(files) {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
    },
    init: (...args) => runCli(['init', folder, ...args]),
    run: (...args) => runCli(args),
    read: (path) => readFile(join(folder, path), 'utf8'),
    path: (path) => join(folder, path),
  };
}

/** A package.json with dependencies. */
export function manifest(...dependencies: string[]): string {
  return JSON.stringify({ dependencies: Object.fromEntries(dependencies.map((name) => [name, '*'])) });
}
