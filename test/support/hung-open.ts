import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** Number of threads in Node's pool. */
const poolSize = 4;

/** A pipe that nobody writes: each `hang` occupies a thread of Node's pool until `release`. */
export interface HungPipe {
  hang(): Promise<void>;
  release(): void;
}

export function hungPipe(): HungPipe {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-pipe-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  let writer: number | undefined;
  // Opening for reading and writing never waits.
  const release = (): void => void (writer ??= openSync(path, 'r+'));
  onTestFinished(() => {
    release();
    if (writer !== undefined) closeSync(writer);
    rmSync(folder, { recursive: true });
  });
  return {
    async hang() {
      const handle = await open(path, 'r');
      await handle.close();
    },
    release,
  };
}

/** Occupies the whole pool, so that every file operation hangs until the returned function is called. */
export async function hangPool(): Promise<() => void> {
  const pipe = hungPipe();
  // An operation that called us back still counts as pending.
  await setImmediate();
  for (let thread = 0; thread < poolSize; thread++) void pipe.hang();
  return pipe.release;
}

/** Number of file operations that are in the pool, or wait for a thread. */
export function pendingFileOperations(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'FSReqPromise').length;
}
