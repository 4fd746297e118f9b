import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readLogLine } from '@countersign/audit-verifier';
import { segmentPath } from '../disk/log-files.js';
import { readBlocks } from '../disk/read-bytes.js';
import { maxLineBytes } from '../record/plain-json.js';
import type { LogEnd } from './read-log-end.js';
import { segmentOfTornFile, type TornBytes } from './torn-bytes.js';

const newline = 0x0a;
/** Unique to a recovery record: in a string of a client its quotes would be escaped. */
const mark = '"phase":"recovered"';
/** Node reads no larger file at once, so a start cannot have quarantined one. */
const maxTornBytes = 2 * 1024 ** 3;

type End = Pick<LogEnd, 'number' | 'validBytes'>;

/**
 * Quarantined bytes without a `recovered` record, because a start failed before it could write one. They belong to the
 * last segment or its neighbours. Each segment is read once, however many such files exist.
 */
export function unreportedTornBytes(directory: string, end: End): readonly TornBytes[] {
  const files = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && mayBeUnreported(directory, segmentOfTornFile(entry.name), end.number))
    .map(({ name }) => name)
    .filter((name) => lstatSync(join(directory, name)).size <= maxTornBytes);
  if (files.length === 0) return [];
  const reported = reportedFiles(directory, end);
  return files
    .filter((name) => !reported.has(name))
    .toSorted()
    .map((name) => describeFile(directory, name));
}

/** If the segment was archived, its recovery record went with it. */
function mayBeUnreported(directory: string, number: number | undefined, last: number): boolean {
  if (number === undefined || Math.abs(number - last) > 1) return false;
  return number >= last || existsSync(segmentPath(directory, number));
}

/** The record is in the torn segment, or in the next one if the log continued there. */
function reportedFiles(directory: string, { number, validBytes }: End): ReadonlySet<string> {
  const reported = new Set<string>();
  for (const near of [number - 2, number - 1, number]) {
    const path = segmentPath(directory, near);
    if (!existsSync(path)) continue;
    // Bytes behind `validBytes` are torn, even if they look like a record.
    for (const line of recoveryLines(path, near === number ? validBytes : Infinity)) {
      const file = reportedFile(line);
      if (file !== undefined) reported.add(file);
    }
  }
  return reported;
}

function* recoveryLines(path: string, end: number): Generator<Buffer, void> {
  let rest = Buffer.alloc(0);
  for (const block of readBlocks(path, end)) {
    const bytes = Buffer.concat([rest, block]);
    const whole = bytes.subarray(0, bytes.lastIndexOf(newline) + 1);
    for (let at = whole.indexOf(mark), lineEnd = 0; at >= 0; at = whole.indexOf(mark, lineEnd)) {
      lineEnd = whole.indexOf(newline, at);
      yield whole.subarray(whole.lastIndexOf(newline, at) + 1, lineEnd);
    }
    rest = bytes.subarray(Math.max(whole.length, bytes.length - maxLineBytes));
  }
}

function reportedFile(line: Buffer): string | undefined {
  const { phase, recovered } = (readLogLine(line)?.record ?? {}) as {
    phase?: unknown;
    recovered?: { file?: unknown };
  };
  return phase === 'recovered' && typeof recovered?.file === 'string' ? recovered.file : undefined;
}

function describeFile(directory: string, file: string): TornBytes {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const block of readBlocks(join(directory, file))) {
    hash.update(block);
    bytes += block.length;
  }
  return { bytes, sha256: hash.digest('hex'), file };
}
