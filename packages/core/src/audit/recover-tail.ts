import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../config-error.js';
import { maxBatch } from './group-commit.js';
import { maxLineBytes } from './record.js';

const newline = 0x0a;
/** Holds whatever a crash can have torn, and the whole line before it. */
const tailBytes = (maxBatch + 2) * maxLineBytes;

/**
 * Makes a log end with a whole line, and returns the sequence number in it (0 for an empty log). What follows the last
 * newline was torn by a crash and never acknowledged: it is copied aside, then cut off. A log that ends with a line
 * that is no record is not built upon.
 */
export function recoverTail(path: string, descriptor: number): number {
  const { size } = fstatSync(descriptor);
  const tail = readFrom(descriptor, Math.max(0, size - tailBytes), size);
  const end = tail.lastIndexOf(newline) + 1;
  if (end === 0 && tail.length < size) throw notOurs(path);
  const sequence = end === 0 ? 0 : lastSequence(path, tail.subarray(0, end - 1));
  if (end < tail.length) cutTorn(path, descriptor, tail.subarray(end), size);
  return sequence;
}

/** Makes the names in a folder durable. Windows cannot, and need not. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(directory, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function lastSequence(path: string, lines: Buffer): number {
  const line = lines.subarray(lines.lastIndexOf(newline) + 1).toString();
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    throw notOurs(path);
  }
  const sequence = typeof record === 'object' && record !== null && 'sequence' in record ? record.sequence : undefined;
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 1) throw notOurs(path);
  return sequence;
}

function cutTorn(path: string, descriptor: number, torn: Buffer, size: number): void {
  const aside = `${path}.torn-${new Date().toISOString().replaceAll(':', '-')}`;
  writeFileSync(aside, torn, { flag: 'wx', mode: 0o600, flush: true });
  syncDirectory(dirname(path));
  ftruncateSync(descriptor, size - torn.length);
  fsyncSync(descriptor);
}

function readFrom(descriptor: number, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const read = readSync(descriptor, bytes, filled, bytes.length - filled, start + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

function notOurs(path: string): ConfigError {
  return new ConfigError(
    `auditFile: the last line of '${path}' is not an audit record. Move the file away, and find out what wrote to it.`,
  );
}
