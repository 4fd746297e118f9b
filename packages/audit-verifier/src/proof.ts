import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { leafHash } from './merkle.js';
import { verifyInclusion } from './verify-proofs.js';
import { decodeBase64 } from './note.js';

export interface InclusionProof {
  /** The line of the record, without its newline. */
  readonly line: Buffer;
  /** Its position from 0: the sequence number less one. */
  readonly index: number;
  readonly hashes: readonly Buffer[];
  /** A signed checkpoint of at least `index` + 1 records. */
  readonly checkpoint: string;
}

export type CheckedProof =
  | { readonly ok: true; readonly line: string; readonly record: unknown; readonly checkpoint: Checkpoint }
  | { readonly ok: false; readonly problem: 'malformed' | 'wrong_key' | 'wrong_signature' | 'not_included' };

const firstLine = 'c2sp.org/tlog-proof@v1';
const maxHashes = 63;

/** Formats a C2SP tlog-proof: the record in `extra`, the hashes up to the root, and a signed checkpoint of that root. */
export function formatProof({ line, index, hashes, checkpoint }: InclusionProof): string {
  const path = hashes.map((hash) => `${hash.toString('base64')}\n`).join('');
  return `${firstLine}\nextra ${line.toString('base64')}\nindex ${index}\n${path}\n${checkpoint}`;
}

/**
 * Checks that a record was in a log, with only the proof and the verifier key of the log.
 *
 * @example
 * const checked = checkProof(await readFile('record-42.tlog-proof', 'utf8'), key);
 * if (checked.ok) console.log(checked.record, 'was in', checked.checkpoint.origin);
 */
export function checkProof(text: string, key: string): CheckedProof {
  const proof = parseProof(text);
  if (proof === undefined) return { ok: false, problem: 'malformed' };
  const opened = openCheckpoint(proof.checkpoint, key.trim());
  if (!opened.ok) return { ok: false, problem: problemOf(opened.problem) };
  const { size, root } = opened.checkpoint;
  const { line, index, hashes } = proof;
  if (!verifyInclusion({ index, size, root, leaf: leafHash(line), proof: hashes })) {
    return { ok: false, problem: 'not_included' };
  }
  const shown = line.toString('utf8');
  return { ok: true, line: shown, record: parseJson(shown), checkpoint: opened.checkpoint };
}

function parseProof(text: string): InclusionProof | undefined {
  const end = text.indexOf('\n\n');
  const [version, extra = '', position = '', ...path] = text.slice(0, end).split('\n');
  const [, encoded = ''] = /^extra (.+)$/.exec(extra) ?? [];
  const [, index = ''] = /^index (0|[1-9][0-9]{0,15})$/.exec(position) ?? [];
  const line = decodeBase64(encoded);
  const hashes = path.map(decodeBase64).filter((hash) => hash?.length === 32) as Buffer[];
  if (end < 0 || version !== firstLine || line === undefined || line.length === 0 || index === '') return undefined;
  if (hashes.length !== path.length || hashes.length > maxHashes) return undefined;
  return { line, index: Number(index), hashes, checkpoint: text.slice(end + 2) };
}

function problemOf(problem: string): 'malformed' | 'wrong_key' | 'wrong_signature' {
  if (problem === 'malformed' || problem === 'wrong_signature') return problem;
  return 'wrong_key';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
