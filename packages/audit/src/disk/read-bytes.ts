import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const { O_NOFOLLOW, O_RDONLY } = constants;
const blockBytes = 1024 ** 2;

/** Reads a file from `start` to `end`, or to its end if that comes first. */
export function readBytes(descriptor: number, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const read = readSync(descriptor, bytes, filled, bytes.length - filled, start + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

/** Reads a file up to `end` in blocks of 1 MiB. Never through a symbolic link. */
export function* readBlocks(path: string, end: number = Infinity): Generator<Buffer, void> {
  const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW);
  try {
    const last = Math.min(end, fstatSync(descriptor).size);
    for (let at = 0; at < last; ) {
      const block = readBytes(descriptor, at, Math.min(last, at + blockBytes));
      if (block.length === 0) return;
      yield block;
      at += block.length;
    }
  } finally {
    closeSync(descriptor);
  }
}
