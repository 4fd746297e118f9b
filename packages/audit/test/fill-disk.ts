import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { bundle } from './bundle.js';
import { temporaryFolder } from './events.js';

/** Runs `full-writer.ts` with files of 2 KiB at most; returns how many appends succeeded. */
export async function fillDisk(kind: 'spool' | 'witness', path: string): Promise<number> {
  using programs = temporaryFolder();
  const writer = await bundle(new URL('full-writer.ts', import.meta.url), programs.path);
  const limited = ['-c', 'ulimit -f 2; exec "$@"', 'sh', process.execPath, writer, kind, path];
  return Number((await promisify(execFile)('sh', limited)).stdout);
}
