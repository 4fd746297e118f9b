import { closeSync, fstatSync, fsyncSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointsFileName } from '@countersign/audit-verifier';
import { ConfigError } from '@countersign/common';
import { AuditError } from '../record/audit-error.js';
import { AppendFile, type FileOperations } from '../disk/append-file.js';
import { openForAppend } from '../log/log-files.js';
import { readFrom } from '../log/read-from.js';
import { writeAgain } from '../disk/write-again.js';

/** Holds the last notes whole; a note of ours is below 1 KiB. */
const tailBytes = 64 * 1024;

/** The checkpoints of a log, one after the other, each ended by a blank line. */
export interface CheckpointFile {
  /** The last one that is whole. */
  readonly last: string | undefined;
  /**
   * Not while a note is appended. A disk that does not take notes, or could not sync one, is no reason to throw.
   *
   * @throws AuditError, from then on, if somebody else has touched the file.
   */
  checkUntouched(): void;
  /** @throws AuditError if it takes no more notes: it was touched, or could not be synced. */
  checkUsable(): void;
  /** Resolves when it is durable. */
  append(note: string): Promise<void>;
  /** The same at once, for the first one. */
  appendNow(note: string): void;
  close(): void;
}

/**
 * Opens the file of the log of that name; cuts off a note that a crash has torn.
 *
 * @throws ConfigError if it ends with anything else.
 */
export function openCheckpointFile(directory: string, origin: string, operations: FileOperations): CheckpointFile {
  const path = join(directory, checkpointsFileName);
  const descriptor = openForAppend(path);
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(0, size - tailBytes);
    const tail = readFrom(descriptor, start, size).toString('latin1');
    const ends = [0, ...endsOfNotes(tail)];
    const end = ends.at(-1) ?? 0;
    if (end < tail.length) {
      // Whoever can make us drop a note by a byte behind it need not remove it, and could have another history sealed.
      if ((end === 0 && start > 0) || !isTornNote(tail.slice(end), origin)) throw notOurs(path);
      ftruncateSync(descriptor, start + end);
      fsyncSync(descriptor);
    }
    const lastStart = ends.at(-2) ?? 0;
    const last = tail.slice(lastStart, end);
    writeAgain(path, start + lastStart, Buffer.from(last, 'latin1'), operations);
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
    if (error instanceof AuditError && error.failure === 'file_replaced') throw error;
  }
}

/** Whether it is how a note of this log begins; a disk may leave zeros where a block of the rest should be. */
function isTornNote(tail: string, origin: string): boolean {
  const lines = tail.replace(/\0[^]*$/, '').split('\n');
  const torn = lines.pop() ?? '';
  const expected: readonly { readonly text: string; readonly rest: RegExp }[] = [
    { text: origin, rest: /^$/ },
    { text: '', rest: /^\d*$/ },
    { text: '', rest: base64 },
    { text: '', rest: /^$/ },
    { text: `${dash} ${origin} `, rest: base64 },
  ];
  const isWhole = lines.every((line, index) => {
    const { text = '', rest = /(?!)/ } = expected[index] ?? {};
    return line.startsWith(text) && rest.test(line.slice(text.length));
  });
  const { text = '', rest = /^$/ } = expected[lines.length] ?? {};
  return isWhole && (text.startsWith(torn) || (torn.startsWith(text) && rest.test(torn.slice(text.length))));
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

/** A note ends with its signatures and a blank line. A signature begins with a dash, which is three bytes in UTF-8. */
function endsOfNotes(tail: string): number[] {
  const ends = [...tail.matchAll(/^\u00e2\u0080\u0094 .*\n\n/gm)].map(({ 0: text, index }) => index + text.length);
  // Zeros are a block that did not reach the disk though the end of the note did: it is torn.
  return ends.filter((end, index) => !tail.slice(ends[index - 1] ?? 0, end).includes('\0'));
}
