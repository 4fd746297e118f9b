import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLogLine } from '@countersign/audit-verifier';
import { segmentPath } from './log-files.js';
import { describeTorn, type TornBytes, tornSegment } from './torn-bytes.js';

const newline = 0x0a;

/**
 * The torn bytes that were put aside and of which no record tells yet: those of this start, and of starts that failed
 * before they could say so. Such bytes are of the last segment, `number`, or one next to it.
 */
export function untoldBytes(directory: string, number: number): readonly TornBytes[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && Math.abs((tornSegment(entry.name) ?? Infinity) - number) <= 1)
    .map(({ name }) => name)
    .toSorted()
    .filter((name) => !isTold(directory, name))
    .map((name) => describeTorn(name, readFileSync(join(directory, name))));
}

/** The record stands in the segment that the bytes were torn from, or in one next to it, with which the log went on. */
function isTold(directory: string, file: string): boolean {
  const number = tornSegment(file) ?? 0;
  return [number - 1, number, number + 1]
    .map((near) => segmentPath(directory, near))
    .some((path) => existsSync(path) && tellsOf(readFileSync(path), file));
}

function tellsOf(segment: Buffer, file: string): boolean {
  for (let at = segment.indexOf(file); at >= 0; at = segment.indexOf(file, at + 1)) {
    const line = segment.subarray(segment.lastIndexOf(newline, at) + 1, segment.indexOf(newline, at));
    const { phase, recovered } = (readLogLine(line)?.record ?? {}) as {
      phase?: unknown;
      recovered?: { file?: unknown };
    };
    if (phase === 'recovered' && recovered?.file === file) return true;
  }
  return false;
}
