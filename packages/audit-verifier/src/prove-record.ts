import { openCheckpoint } from './checkpoint.js';
import { splitCheckpoints } from './checkpoint-file.js';
import { readCheckpointsFile } from './log-folder.js';
import { formatProof } from './proof.js';
import { type PlacedLine, readLog } from './read-log.js';
import { LeafHashes } from './tree-proofs.js';
import { verifyInclusion } from './verify-proofs.js';

export type ProvenRecord =
  | { readonly ok: true; readonly proof: string; readonly sequence: number }
  | { readonly ok: false; readonly problem: 'not_found' | 'not_sealed_yet' | 'log_damaged' };

/**
 * Proves that a record is in a log: reads the log once, and returns a C2SP tlog-proof with the latest checkpoint that
 * covers the record. The record is given by id or sequence number. All segments must be present: put archived ones back
 * first.
 *
 * @example
 * const proven = await proveRecord('audit', { id: 'b5c3…', key });
 * if (proven.ok) await writeFile('record.tlog-proof', proven.proof);
 */
export async function proveRecord(
  directory: string,
  { key, ...wanted }: { readonly key: string } & Wanted,
): Promise<ProvenRecord> {
  const leaves = new LeafHashes();
  let found: { readonly line: Buffer; readonly index: number; readonly hash: Buffer } | undefined;
  for await (const lines of readLog(directory, () => {})) {
    for (const placed of lines) {
      const { bytes, hash } = placed;
      if (found === undefined && isWanted(placed, wanted))
        found = { line: Buffer.from(bytes), index: leaves.size, hash };
      leaves.push(hash);
    }
  }
  if (found === undefined) return { ok: false, problem: 'not_found' };

  const { line, index, hash } = found;
  const note = await latestCheckpoint(directory, key, leaves.size);
  if (note === undefined || note.size <= index) return { ok: false, problem: 'not_sealed_yet' };
  const hashes = leaves.inclusionProof(index, note.size);
  if (!verifyInclusion({ index, size: note.size, leaf: hash, root: note.root, proof: hashes })) {
    return { ok: false, problem: 'log_damaged' };
  }
  return { ok: true, sequence: index + 1, proof: formatProof({ line, index, hashes, checkpoint: note.text }) };
}

const backslash = 0x5c;

interface Wanted {
  readonly id?: string;
  readonly sequence?: number;
}

function isWanted(placed: PlacedLine, { id, sequence }: Wanted): boolean {
  if (sequence !== undefined && placed.frame?.sequence === sequence) return placed.line !== undefined;
  // The log's own records have no id; an empty id must not match them.
  return id !== undefined && id !== '' && mayHold(placed.bytes, id) && placed.line?.record['id'] === id;
}

/** Whether parsing is worthwhile: JSON without a backslash contains its strings verbatim. */
function mayHold(bytes: Buffer, text: string): boolean {
  return bytes.includes(text) || bytes.includes(backslash);
}

async function latestCheckpoint(
  directory: string,
  key: string,
  mostRecords: number,
): Promise<{ readonly text: string; readonly size: number; readonly root: Buffer } | undefined> {
  for (const text of splitCheckpoints(await readCheckpointsFile(directory)).toReversed()) {
    const opened = openCheckpoint(text, key.trim());
    if (opened.ok && opened.checkpoint.size <= mostRecords) return { text, ...opened.checkpoint };
  }
  return undefined;
}
