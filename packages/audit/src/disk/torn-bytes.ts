import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { syncDirectory } from '../log/log-files.js';
import type { RecoveredRecord } from '../log/log-record.js';
import { createBeside, freeName } from './whole-file.js';

export type TornBytes = RecoveredRecord['recovered'];

const newline = 0x0a;

/** What the name of a segment is followed by where its torn bytes are put aside. */
export function tornSuffix(time: number): string {
  return `.torn-${new Date(time).toISOString().replaceAll(':', '-')}`;
}

/** Whether a file bears such a name; the number of the segment, if so. */
export function tornSegment(file: string): number | undefined {
  const named = /^audit-(\d+)\.jsonl\.torn-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z(?:-\d+)?$/.exec(file);
  return named === null ? undefined : Number(named[1]);
}

/** Copies what a crash has torn to a file of its own, never to be seen half written. @returns its path. */
export function keepTornBytes(path: string, torn: Uint8Array, suffix: string): string {
  return createBeside(`${path}${suffix}`, torn);
}

/**
 * A crash may have left the last segment without even its first record: nothing in it was ever acknowledged. It is put
 * aside under its name with `suffix`.
 *
 * @returns the segments that are left.
 */
export function putUnfinishedAside<Segment extends { readonly path: string }>(
  segments: readonly Segment[],
  suffix: string,
): readonly Segment[] {
  const last = segments.at(-1);
  if (last === undefined) return segments;
  const bytes = readFileSync(last.path);
  if (!isUnfinished(bytes)) return segments;
  if (bytes.length === 0) rmSync(last.path);
  else renameSync(last.path, freeName(`${last.path}${suffix}`));
  syncDirectory(dirname(last.path));
  return segments.slice(0, -1);
}

/** Its first write is of two lines at most. Zeros are a block that did not reach the disk though a later one did. */
function isUnfinished(segment: Buffer): boolean {
  const firstEnd = segment.indexOf(newline);
  if (firstEnd < 0) return true;
  return segment.subarray(0, firstEnd).includes(0) && segment.filter((byte) => byte === newline).length <= 2;
}

export function describeTorn(path: string, bytes: Uint8Array): TornBytes {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), file: basename(path) };
}
