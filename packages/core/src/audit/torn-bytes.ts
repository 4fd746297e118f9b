import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { syncDirectory } from './log-files.js';
import type { RecoveredRecord } from './log-record.js';
import { createWhole } from './whole-file.js';

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

/** Copies what a crash has torn to a file of its own, never to be seen half written. */
export function keepTornBytes(path: string, torn: Uint8Array, suffix: string): void {
  createWhole(freeName(`${path}${suffix}`), torn);
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
  if (bytes.includes(newline)) return segments;
  if (bytes.length === 0) rmSync(last.path);
  else renameSync(last.path, freeName(`${last.path}${suffix}`));
  syncDirectory(dirname(last.path));
  return segments.slice(0, -1);
}

export function describeTorn(path: string, bytes: Uint8Array): TornBytes {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), file: basename(path) };
}

/** A clock may say the same time twice. What was put aside is never written over. */
function freeName(path: string): string {
  let name = path;
  for (let count = 2; existsSync(name); count++) name = `${path}-${count}`;
  return name;
}
