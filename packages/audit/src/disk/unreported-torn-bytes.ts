import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readLogLine } from '@countersign/audit-verifier';
import { segmentPath } from '../log/log-files.js';
import { blocksOf } from '../log/read-from.js';
import { maxLineBytes } from '../record/record.js';
import { type TornBytes, tornSegment } from './torn-bytes.js';

const newline = 0x0a;
/** No line of ours has it anywhere else: what others say stands in strings, its quotes escaped. */
const mark = '"phase":"recovered"';
/** What a start puts aside it has read at once, and Node reads no more: a larger file is none of ours. */
const mostTornBytes = 2 * 1024 ** 3;

/** The last segment, and how much of it is whole records. */
interface LogEnd {
  readonly number: number;
  readonly validBytes: number;
}

/**
 * The torn bytes that were put aside and of which no record tells yet, because a start failed before it could say so.
 * Such bytes are of the last segment, or one next to it. Each segment is read once, however many such files there are.
 */
export function unreportedTornBytes(directory: string, end: LogEnd): readonly TornBytes[] {
  const files = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && mayBeUntold(directory, tornSegment(entry.name), end.number))
    .map(({ name }) => name)
    .filter((name) => lstatSync(join(directory, name)).size <= mostTornBytes);
  if (files.length === 0) return [];
  const told = toldIn(directory, end);
  return files
    .filter((name) => !told.has(name))
    .toSorted()
    .map((name) => describeFile(directory, name));
}

/** Of a segment that was archived, so was the record, if it stood there. */
function mayBeUntold(directory: string, number: number | undefined, last: number): boolean {
  if (number === undefined || Math.abs(number - last) > 1) return false;
  return number >= last || existsSync(segmentPath(directory, number));
}

/** The record stands in the segment that the bytes were torn from, or in one next to it, with which the log went on. */
function toldIn(directory: string, { number, validBytes }: LogEnd): ReadonlySet<string> {
  const told = new Set<string>();
  for (const near of [number - 2, number - 1, number]) {
    const path = segmentPath(directory, near);
    if (!existsSync(path)) continue;
    // What is torn now is no record, though it may read like one.
    for (const line of markedLines(path, near === number ? validBytes : Infinity)) {
      const file = fileTold(line);
      if (file !== undefined) told.add(file);
    }
  }
  return told;
}

function* markedLines(path: string, end: number): Generator<Buffer, void> {
  let rest = Buffer.alloc(0);
  for (const block of blocksOf(path, end)) {
    const bytes = Buffer.concat([rest, block]);
    const whole = bytes.subarray(0, bytes.lastIndexOf(newline) + 1);
    for (let at = whole.indexOf(mark), lineEnd = 0; at >= 0; at = whole.indexOf(mark, lineEnd)) {
      lineEnd = whole.indexOf(newline, at);
      yield whole.subarray(whole.lastIndexOf(newline, at) + 1, lineEnd);
    }
    rest = bytes.subarray(Math.max(whole.length, bytes.length - maxLineBytes));
  }
}

function fileTold(line: Buffer): string | undefined {
  const { phase, recovered } = (readLogLine(line)?.record ?? {}) as {
    phase?: unknown;
    recovered?: { file?: unknown };
  };
  return phase === 'recovered' && typeof recovered?.file === 'string' ? recovered.file : undefined;
}

function describeFile(directory: string, file: string): TornBytes {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const block of blocksOf(join(directory, file))) {
    hash.update(block);
    bytes += block.length;
  }
  return { bytes, sha256: hash.digest('hex'), file };
}
