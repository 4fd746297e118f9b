import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { isWeakKey } from './weak-key.js';

/** A public key for notes, and the name under which it signs. */
export interface VerifierKey {
  readonly name: string;
  /** Eight hexadecimal digits that distinguish keys of one name. */
  readonly id: string;
  readonly publicKey: KeyObject;
}

export type NoteProblem = 'malformed' | 'ambiguous_key' | 'wrong_signature' | 'no_known_signature';

export type OpenedNote =
  | {
      readonly ok: true;
      readonly text: string;
      /** Names of the keys that signed it. */
      readonly verified: readonly string[];
      /** Names of signatures by unknown keys. */
      readonly unverified: readonly string[];
    }
  | { readonly ok: false; readonly problem: NoteProblem };

/** An Ed25519 public key in SPKI is this prefix and its 32 bytes. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const ed25519 = 0x01;
const maxNoteBytes = 1_000_000;
const maxSignatures = 100;

/**
 * Why a text is not a verifier key: its form is wrong, it is of another kind, its id does not match name and key, or the
 * key is weak: anybody could sign under it.
 */
export type VerifierKeyProblem = 'malformed' | 'not_ed25519' | 'wrong_id' | 'weak_key';

/** Parses a C2SP verifier key, `name+id+base64`. Undefined if it is not one. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const read = readVerifierKey(text);
  return typeof read === 'string' ? undefined : read;
}

/** Like `parseVerifierKey`, but returns the problem if it is not one. */
export function readVerifierKey(text: string): VerifierKey | VerifierKeyProblem {
  // The base64 may contain a plus too.
  const [, name = '', id = '', encoded = ''] = /^([^+]*)\+([0-9a-f]{8})\+(.+)$/s.exec(text) ?? [];
  const bytes = decodeBase64(encoded);
  if (!isKeyName(name) || bytes === undefined) return 'malformed';
  if (bytes[0] !== ed25519 || bytes.length !== 33) return 'not_ed25519';
  if (id !== keyId(name, bytes)) return 'wrong_id';
  if (isWeakKey(bytes.subarray(1))) return 'weak_key';
  const publicKey = createPublicKey({
    key: Buffer.concat([spkiPrefix, bytes.subarray(1)]),
    format: 'der',
    type: 'spki',
  });
  return { name, id, publicKey };
}

/** Formats an Ed25519 public key as a C2SP verifier key. */
export function formatVerifierKey(name: string, publicKey: KeyObject): string {
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const bytes = Buffer.concat([Uint8Array.of(ed25519), spki.subarray(spkiPrefix.length)]);
  return `${name}+${keyId(name, bytes)}+${bytes.toString('base64')}`;
}

/** Opens a C2SP signed note. At least one of the keys must have signed it, and none of their signatures may be wrong. */
export function openNote(note: Uint8Array | string, keys: readonly VerifierKey[]): OpenedNote {
  const parts = splitNote(note);
  if (parts === undefined) return { ok: false, problem: 'malformed' };
  const verified = new Map<string, string>();
  const unverified = new Map<string, string>();
  for (const { line, name, id, signature } of parts.signatures) {
    const [key, ...more] = keys.filter((one) => one.name === name && one.id === id);
    if (more.length > 0) return { ok: false, problem: 'ambiguous_key' };
    if (key === undefined) {
      unverified.set(line, name);
    } else if (!verified.has(`${name}+${id}`)) {
      if (!verify(null, Buffer.from(parts.text), key.publicKey, signature))
        return { ok: false, problem: 'wrong_signature' };
      verified.set(`${name}+${id}`, name);
    }
  }
  if (verified.size === 0) return { ok: false, problem: 'no_known_signature' };
  return { ok: true, text: parts.text, verified: [...verified.values()], unverified: [...unverified.values()] };
}

interface SignatureLine {
  readonly line: string;
  readonly name: string;
  readonly id: string;
  readonly signature: Buffer;
}

function splitNote(note: Uint8Array | string): { text: string; signatures: SignatureLine[] } | undefined {
  const whole = decodeText(note);
  if (whole === undefined) return undefined;
  const end = whole.lastIndexOf('\n\n');
  const lines = whole.slice(end + 2).split('\n');
  if (end < 0 || lines.length < 2 || lines.pop() !== '' || lines.length > maxSignatures) return undefined;
  const signatures = lines.map(parseSignatureLine).filter((line) => line !== undefined);
  return signatures.length === lines.length ? { text: whole.slice(0, end + 1), signatures } : undefined;
}

function parseSignatureLine(line: string): SignatureLine | undefined {
  const [, name = '', encoded = ''] = /^— ([^ ]*) (.*)$/.exec(line) ?? [];
  const bytes = decodeBase64(encoded);
  if (!isKeyName(name) || bytes === undefined || bytes.length < 5) return undefined;
  return { line, name, id: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) };
}

function decodeText(note: Uint8Array | string): string | undefined {
  const bytes = Buffer.from(note);
  if (bytes.length > maxNoteBytes || bytes.some((byte) => byte < 0x20 && byte !== 0x0a)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function isKeyName(name: string): boolean {
  return name !== '' && !/[\p{White_Space}\p{Cs}+]/u.test(name);
}

function keyId(name: string, key: Uint8Array): string {
  return createHash('sha256').update(`${name}\n`).update(key).digest('hex').slice(0, 8);
}

/** Strict base64: Node skips other characters, so that several texts would be one signature. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
