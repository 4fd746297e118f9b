import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { syncDirectory } from './log-files.js';
import type { RecoveredRecord } from './log-record.js';

export type TornBytes = RecoveredRecord['recovered'];

const newline = 0x0a;

/** Copies what a crash has torn to a file of its own, and says what it was. */
export function keepTornBytes(path: string, torn: Uint8Array, suffix: string): TornBytes {
  const aside = `${path}${suffix}`;
  writeFileSync(aside, torn, { flag: 'wx', mode: 0o600, flush: true });
  syncDirectory(dirname(path));
  return describe(aside, torn);
}

/**
 * A crash may have left the last segment without even its first record: nothing in it was ever acknowledged. It is put
 * aside under its name with `suffix`.
 */
export function putUnfinishedAside<Segment extends { readonly path: string }>(
  segments: readonly Segment[],
  suffix: string,
): { readonly segments: readonly Segment[]; readonly torn?: TornBytes } {
  const last = segments.at(-1);
  if (last === undefined) return { segments };
  const bytes = readFileSync(last.path);
  if (bytes.includes(newline)) return { segments };
  const others = segments.slice(0, -1);
  if (bytes.length === 0) {
    rmSync(last.path);
    return { segments: others };
  }
  renameSync(last.path, `${last.path}${suffix}`);
  syncDirectory(dirname(last.path));
  return { segments: others, torn: describe(`${last.path}${suffix}`, bytes) };
}

function describe(path: string, bytes: Uint8Array): TornBytes {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), file: basename(path) };
}
