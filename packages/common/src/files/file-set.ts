import { webcrypto } from 'node:crypto';
import { readRegularFile } from './regular-file.js';

/** Files that are loaded together, as they were when they were read. */
export interface FileSet {
  /** Bytes by name. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** SHA-256 in hex, by name. */
  readonly digests: ReadonlyMap<string, string>;
  /** When the last of them was changed, by the clock of the file system, in milliseconds since the epoch. */
  readonly changedMs: number;
}

/** Reads files, given by name and path. @throws Error (as a rejection) if one of them cannot be read. */
export async function readFileSet(paths: Iterable<readonly [string, string]>, changedMs = 0): Promise<FileSet> {
  const files = new Map<string, Buffer>();
  const digests = new Map<string, string>();
  let newest = changedMs;
  // Sequentially: if the disk hangs, one thread of Node's pool hangs with it, not all four.
  for (const [name, path] of paths) {
    const content = await readRegularFile(path);
    files.set(name, content.value);
    digests.set(name, await digest(content.value));
    newest = Math.max(newest, content.changedMs);
  }
  return { files, digests, changedMs: newest };
}

/** On another thread: policy files may have many megabytes, and are hashed at each poll. */
async function digest(bytes: Buffer): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex');
}
