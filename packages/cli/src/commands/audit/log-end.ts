import { open, stat } from 'node:fs/promises';
import { listSegments, maxLineBytes, readFence } from '@countersign/audit-verifier';
import { CliError } from '../../cli-error.js';

/** A place in a log, between two lines. */
export interface Position {
  readonly file: string;
  readonly offset: number;
}

/** Whole lines of one segment, and the position after them. */
export interface ReadOn {
  readonly file: string;
  readonly lines: readonly Buffer[];
  readonly next: Position;
}

const blockBytes = 256 * 1024;
const newline = 0x0a;

/** Finds the start of the last `count` records, reading the log backwards. */
export async function positionOfLast(directory: string, count: number): Promise<Position> {
  const segments = await listSegments(directory);
  let missing = count;
  let position: Position = { file: '', offset: 0 };
  for (let at = segments.length - 1; at >= 0; at--) {
    const segment = segments[at];
    if (segment === undefined) break;
    const { lines, offset } = await lastLines(segment.path, await endOf(segment, segments[at + 1]), missing);
    position = { file: segment.file, offset };
    missing -= lines;
    if (missing <= 0) break;
  }
  return position;
}

/** Reads the log from a position to its current end, in blocks. An incomplete last line is left for the next read. */
export async function* readOn(directory: string, from: Position): AsyncGenerator<ReadOn, void, undefined> {
  const segments = (await listSegments(directory)).filter(({ file }) => !isBefore(file, from.file));
  if (segments.length === 0) throw new CliError(`${from.file} is gone from ${directory}: verify this log`);
  let position = from;
  for (const [at, segment] of segments.entries()) {
    const { file, path } = segment;
    const end = await endOf(segment, segments[at + 1]);
    if (file !== position.file) position = { file, offset: 0 };
    if (end < position.offset) throw new CliError(`${path} has become shorter: verify this log`);
    for await (const { lines, offset } of linesFrom(path, position.offset, end)) {
      position = { file, offset };
      yield { file, lines, next: position };
    }
  }
}

interface Segment {
  readonly file: string;
  readonly path: string;
}

/** The size of a segment without the void bytes of a crash, which the next segment reports. */
async function endOf({ path }: Segment, next: Segment | undefined): Promise<number> {
  const fence = next && (await readFence(path, next.path));
  return fence?.validBytes ?? (await stat(path)).size;
}

/** Whether one segment comes before another. The names have leading zeros up to the millionth. */
export function isBefore(file: string, other: string): boolean {
  return file.length < other.length || (file.length === other.length && file < other);
}

/** Seeks back at most `count` lines. An incomplete last line does not count. */
async function lastLines(path: string, end: number, count: number): Promise<{ lines: number; offset: number }> {
  const file = await open(path);
  try {
    let newlines = 0;
    for (let start = end; start > 0; ) {
      const length = Math.min(blockBytes, start);
      start -= length;
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, start);
      for (let at = buffer.lastIndexOf(newline); at >= 0; at = at === 0 ? -1 : buffer.lastIndexOf(newline, at - 1)) {
        newlines += 1;
        // The newline before the first wanted line.
        if (newlines === count + 1) return { lines: count, offset: start + at + 1 };
      }
    }
    return { lines: newlines, offset: 0 };
  } finally {
    await file.close();
  }
}

/** Whole lines, and their end. A line over the limit is truncated just above it. */
async function* linesFrom(
  path: string,
  start: number,
  end: number,
): AsyncGenerator<{ readonly lines: readonly Buffer[]; readonly offset: number }, void, undefined> {
  const file = await open(path);
  try {
    let rest = Buffer.alloc(0);
    for (let at = start; at < end; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(blockBytes, end - at)), 0, undefined, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const whole = bytes.lastIndexOf(newline) + 1;
      rest = bytes.subarray(whole, whole + maxLineBytes + 1);
      if (whole > 0) yield { lines: split(bytes.subarray(0, whole)), offset: at - (bytes.length - whole) };
    }
  } finally {
    await file.close();
  }
}

/** Lines that each end with a newline, without it. */
function split(bytes: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(newline, start);
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
