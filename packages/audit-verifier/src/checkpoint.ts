import { decodeBase64, type NoteProblem, openNote, parseVerifierKey, type VerifierKey } from './note.js';

/** The state of a log: its number of records and the root of their Merkle tree. */
export interface Checkpoint {
  /** The name of the log. */
  readonly origin: string;
  /** Number of records. */
  readonly size: number;
  /** RFC 6962 root, 32 bytes. */
  readonly root: Buffer;
}

export type OpenedCheckpoint =
  | { readonly ok: true; readonly checkpoint: Checkpoint }
  | { readonly ok: false; readonly problem: NoteProblem | 'bad_key' };

/** The text of a C2SP tlog-checkpoint, without its signatures. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** Opens a C2SP tlog-checkpoint that the key has signed in the name of the log. Extension lines are ignored. */
export function openCheckpoint(note: Uint8Array | string, verifierKey: string | VerifierKey): OpenedCheckpoint {
  const key = typeof verifierKey === 'string' ? parseVerifierKey(verifierKey) : verifierKey;
  if (key === undefined) return { ok: false, problem: 'bad_key' };
  const opened = openNote(note, [key]);
  if (!opened.ok) return opened;
  const checkpoint = parseCheckpoint(opened.text);
  if (checkpoint === undefined || checkpoint.origin !== key.name) return { ok: false, problem: 'malformed' };
  return { ok: true, checkpoint };
}

/** Reads the text of a checkpoint, signed or not. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin = '', size = '', encoded = '', ...rest] = text.split('\n');
  const root = decodeBase64(encoded);
  if (origin === '' || !/^(?:0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) return undefined;
  if (root?.length !== 32 || rest.pop() !== '' || rest.includes('')) return undefined;
  return { origin, size: Number(size), root };
}
