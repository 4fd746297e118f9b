import { constants, lstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, ConfigError, oneAtATime } from '@countersign/common';
import type { CheckpointWitness } from './witness.js';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

/**
 * Appends each checkpoint to a file, which `verifyLog` compares with the log. It proves something only if whoever can
 * write the log cannot rewrite the file: put it on another host's file system, or let another user commit it to git
 * (docs/reference/audit-log.md). The folder is not created, since it may be a mount that is missing; this is reported and retried.
 *
 * @throws ConfigError if the path is a symbolic link, or no regular file.
 *
 * @example
 * auditFile('audit', { witnesses: [fileWitness('/mnt/auditors/api-1.checkpoints')] });
 */
export function fileWitness(path: string): CheckpointWitness {
  if (typeof path !== 'string' || path === '') throw new ConfigError('fileWitness: name the file to append to.');
  const file = resolve(path);
  checkFile(file);
  // While the file system hangs, each operation occupies one of the four threads of Node's pool, also after its timeout.
  const inTurn = oneAtATime();
  return { name: path, file, receive: (note) => inTurn(() => appendTo(file, note)) };
}

async function appendTo(file: string, note: string): Promise<void> {
  // Without O_NONBLOCK the opening of a device may wait.
  const flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  const handle = await open(file, flags, 0o644).catch((error: unknown) => {
    // Of a link, and of a socket.
    if (['ELOOP', 'ENXIO'].includes(codeOf(error))) throw new Error(notRegular(file));
    if (codeOf(error) === 'ENOENT') throw new Error(`there is no folder '${dirname(file)}'. Make it`);
    throw error;
  });
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error(notRegular(file));
    await append(handle, found.size, note);
  } finally {
    await handle.close();
  }
}

/** Appends a note and a blank line to a file of this size. If that fails, the torn note is removed if possible. */
async function append(handle: FileHandle, size: number, note: string): Promise<void> {
  const bytes = Buffer.from(`${await separatorBehind(handle, size)}${note}\n`);
  let written = 0;
  try {
    // A full disk causes a short write first.
    while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten;
    await handle.sync();
  } catch (error) {
    // Another log may have appended to the same file meanwhile. Some file systems only append.
    if ((await handle.stat()).size === size + written) await handle.truncate(size).catch(() => {});
    throw error;
  }
}

/** A torn note that could not be removed would merge with the next one. */
async function separatorBehind(handle: FileHandle, size: number): Promise<string> {
  if (size === 0) return '';
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, Math.max(0, size - 2));
  return buffer.toString('latin1', 0, bytesRead) === '\n\n' ? '' : '\n\n';
}

/** Other errors are no reason to stop: the folder may be mounted later. */
function checkFile(file: string): void {
  let isOther: boolean;
  try {
    isOther = !lstatSync(file).isFile();
  } catch {
    return;
  }
  if (isOther) throw new ConfigError(`fileWitness: ${notRegular(file)}`);
}

function notRegular(file: string): string {
  return `'${file}' is not a regular file but a link, a pipe or a device. Name the file itself.`;
}
