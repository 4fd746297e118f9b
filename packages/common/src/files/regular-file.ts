import { constants } from 'node:fs';
import { type FileHandle, open, readdir, realpath, stat } from 'node:fs/promises';
import { inTime } from './in-time.js';

const pieceBytes = 512 * 1024;

/** The content of a file or folder, and when it last changed, in milliseconds since the epoch. */
export interface Content<T> {
  readonly value: T;
  readonly changedMs: number;
}

/**
 * Reads a regular file. A pipe, socket or device is refused: it could block the reader forever.
 *
 * @throws Error (as a rejection) also when a step of it takes longer than 10 s.
 */
export async function readRegularFile(path: string): Promise<Content<Buffer>> {
  return await inTime(path, async (step) => {
    // Without O_NONBLOCK, opening a pipe waits for a writer.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      step();
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Error(`'${path}' is not a regular file`);
      const value = await readWhole(handle, stats.size, step);
      // After the read, so that a write in the meantime shows.
      const { ctimeMs: changedMs } = await handle.stat();
      step();
      return { value, changedMs };
    } finally {
      await handle.close();
    }
  });
}

/** `size`: as of before. What is appended meanwhile shows in the time of the change. */
async function readWhole(handle: FileHandle, size: number, step: () => void): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let total = 0; ; ) {
    step();
    const length = total < size ? Math.min(size - total, pieceBytes) : pieceBytes;
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.allocUnsafe(length) });
    parts.push(buffer.subarray(0, bytesRead));
    total += bytesRead;
    if (bytesRead === 0 || total === size) return Buffer.concat(parts);
  }
}

/** Names in a folder. @throws Error (as a rejection) also when the folder does not answer within 10 s. */
export async function listFolder(path: string): Promise<Content<readonly string[]>> {
  return await inTime(path, async (step) => {
    const { ctimeMs } = await stat(path);
    step();
    return { value: (await readdir(path)).toSorted(), changedMs: ctimeMs };
  });
}

/** The file behind a path, through symbolic links; the path itself if it leads nowhere. Rejects after 10 s. */
export async function fileBehind(path: string): Promise<string> {
  return await inTime(path, () => realpath(path).catch(() => path));
}
