import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { syncDirectory } from '../disk/log-files.js';
import type { RecoveredRecord } from './log-record.js';
import { createUnderFreeName, freeName } from '../disk/atomic-file.js';

export type TornBytes = RecoveredRecord['recovered'];

const newline = 0x0a;

/** The suffix of a file of quarantined bytes; it follows the name of the segment. */
export function tornSuffix(time: number): string {
  return `.torn-${new Date(time).toISOString().replaceAll(':', '-')}`;
}

/** The number of the segment in the name of a file of quarantined bytes; undefined for another file. */
export function segmentOfTornFile(file: string): number | undefined {
  const named = /^audit-(\d+)\.jsonl\.torn-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z(?:-\d+)?$/.exec(file);
  return named === null ? undefined : Number(named[1]);
}

/** Copies torn bytes to a file of their own, atomically. @returns its path. */
export function quarantineTornBytes(path: string, torn: Uint8Array, suffix: string): string {
  return createUnderFreeName(`${path}${suffix}`, torn);
}

/**
 * Quarantines a last segment without a complete first record, which a crash can leave: none of its records was
 * acknowledged.
 *
 * @returns the remaining segments.
 */
export function quarantineUnstartedSegment<Segment extends { readonly path: string }>(
  segments: readonly Segment[],
  suffix: string,
): readonly Segment[] {
  const last = segments.at(-1);
  if (last === undefined) return segments;
  const bytes = readFileSync(last.path);
  if (!isUnstarted(bytes)) return segments;
  if (bytes.length === 0) rmSync(last.path);
  else renameSync(last.path, freeName(`${last.path}${suffix}`));
  syncDirectory(dirname(last.path));
  return segments.slice(0, -1);
}

/** The first write is at most two lines. Zeros are a block that did not reach the disk although a later one did. */
function isUnstarted(segment: Buffer): boolean {
  const firstEnd = segment.indexOf(newline);
  if (firstEnd < 0) return true;
  return segment.subarray(0, firstEnd).includes(0) && segment.filter((byte) => byte === newline).length <= 2;
}

export function describeTorn(path: string, bytes: Uint8Array): TornBytes {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), file: basename(path) };
}
