import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const manifest = createRequire(import.meta.url).resolve('@countersign/cli/package.json');
const program = join(dirname(manifest), 'bin/countersign.js');

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `countersign` as in a shell. */
export async function countersign(...args: readonly string[]): Promise<Ran> {
  return await new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (_error, out, err) => {
      resolve({ code: child.exitCode ?? 1, out, err });
    });
  });
}
