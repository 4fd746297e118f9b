import { closeSync, fstatSync, fsyncSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointsFileName } from '@countersign/audit-verifier';
import { ConfigError } from '@countersign/common';
import { AuditError } from '../record/audit-error.js';
import { AppendFile, type FileOperations } from '../disk/append-file.js';
import { openForAppend } from '../disk/log-files.js';
import { readBytes } from '../disk/read-bytes.js';
import { rewriteAndSync } from '../disk/rewrite-bytes.js';

/** Enough for the last complete notes; a note is below 1 KiB. */
const tailBytes = 64 * 1024;

/** The checkpoints of a log, each followed by a blank line. */
export interface CheckpointFile {
  /** The last complete checkpoint. */
  readonly last: string | undefined;
  /**
   * Do not call it during an append. A full disk or a failed sync is no reason to throw.
   *
   * @throws AuditError, from then on, if another process touched the file.
   */
  checkUntouched(): void;
  /** @throws AuditError if the file takes no more notes: it was touched, or a sync failed. */
  checkUsable(): void;
  /** Resolves when the note is durable. */
  append(note: string): Promise<void>;
  /** Synchronous append, for the first checkpoint. */
  appendNow(note: string): void;
  close(): void;
}

/**
 * Opens the checkpoints of the log named `origin`, and truncates a torn last note.
 *
 * @throws ConfigError if the file ends with anything else.
 */
export function openCheckpointFile(directory: string, origin: string, operations: FileOperations): CheckpointFile {
  const path = join(directory, checkpointsFileName);
  const descriptor = openForAppend(path);
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(0, size - tailBytes);
    const tail = readBytes(descriptor, start, size).toString('latin1');
    const ends = [0, ...endsOfNotes(tail)];
    const end = ends.at(-1) ?? 0;
    if (end < tail.length) {
      // Only a torn note of this log is dropped: otherwise appending one byte would remove a checkpoint.
      if ((end === 0 && start > 0) || !isTornNote(tail.slice(end), origin)) throw notOurs(path);
      ftruncateSync(descriptor, start + end);
      fsyncSync(descriptor);
    }
    const lastStart = ends.at(-2) ?? 0;
    const last = tail.slice(lastStart, end);
    rewriteAndSync(path, start + lastStart, Buffer.from(last, 'latin1'), operations);
    const file = new AppendFile(path, descriptor, operations, start + end);
    return {
      last: last === '' ? undefined : Buffer.from(last, 'latin1').toString('utf8').slice(0, -1),
      checkUntouched: () => checkUntouched(file),
      checkUsable: () => file.checkUntouched(),
      append: (note) => file.append(Buffer.from(`${note}\n`)),
      appendNow: (note) => file.appendNow(Buffer.from(`${note}\n`)),
      close: () => file.close(),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function checkUntouched(file: AppendFile): void {
  try {
    file.checkUntouched();
  } catch (error) {
    if (error instanceof AuditError && error.code === 'file_replaced') throw error;
  }
}

/** Whether the text is the start of a note of this log. Zeros are a block that did not reach the disk. */
function isTornNote(tail: string, origin: string): boolean {
  const lines = tail.replace(/\0[^]*/, '').split('\n');
  const torn = lines.pop() ?? '';
  const expected: readonly { readonly text: string; readonly rest: RegExp }[] = [
    { text: origin, rest: /^$/ },
    { text: '', rest: /^\d*$/ },
    { text: '', rest: base64 },
    { text: '', rest: /^$/ },
    { text: `${dash} ${origin} `, rest: base64 },
  ];
  const areComplete = lines.every((line, index) => {
    const { text = '', rest = /(?!)/ } = expected[index] ?? {};
    return line.startsWith(text) && rest.test(line.slice(text.length));
  });
  const { text = '', rest = /^$/ } = expected[lines.length] ?? {};
  return areComplete && (text.startsWith(torn) || (torn.startsWith(text) && rest.test(torn.slice(text.length))));
}

const base64 = /^[A-Za-z\d+/]*=*$/;
/** An em dash, as its three bytes in UTF-8. */
const dash = '\u00e2\u0080\u0094';

function notOurs(path: string): ConfigError {
  return new ConfigError(
    `auditFile: '${path}' ends with something that is no checkpoint of this log, nor a part of one. Somebody has ` +
      'changed it. Put it back as it was, or verify the log, move the folder away, and find out who wrote to it.',
  );
}

/** A note ends with its signatures and a blank line. A signature begins with an em dash (three bytes in UTF-8). */
function endsOfNotes(tail: string): number[] {
  const ends = [...tail.matchAll(/^\u00e2\u0080\u0094 .*\n\n/gm)].map(({ 0: text, index }) => index + text.length);
  // A note that contains zeros is torn: a block did not reach the disk although the end of the note did.
  return ends.filter((end, index) => !tail.slice(ends[index - 1] ?? 0, end).includes('\0'));
}
