import { createHash } from 'node:crypto';
import { SignatureError } from './errors.js';
import { type FieldSection, fieldValue } from './fields.js';
import type { RawFields } from './message.js';
import { parseDictionary, readSingleBytes } from './structured-fields/parse.js';
import { isInnerList } from './structured-fields/types.js';

/** The algorithms of the RFC 9530 §7.2 registry whose status is active. */
export type DigestAlgorithm = 'sha-256' | 'sha-512';

const HASHES: Readonly<Record<DigestAlgorithm, { readonly hash: 'sha256' | 'sha512'; readonly bytes: number }>> = {
  'sha-256': { hash: 'sha256', bytes: 32 },
  'sha-512': { hash: 'sha512', bytes: 64 },
};

const MAX_FIELD_LENGTH = 4096;

/** The supported digests of a Content-Digest field; at least one. All of them must match. */
export type ContentDigests = ReadonlyMap<DigestAlgorithm, Uint8Array>;

export interface ContentDigestRefusal {
  readonly ok: false;
  /** `missing`: no field. `malformed`: not valid under RFC 9530 §2. `unsupported`: neither sha-256 nor sha-512. */
  readonly code: 'missing' | 'malformed' | 'unsupported';
  readonly detail: string;
}

/** Hashes of the content, for callers that hash a stream. */
export interface ContentHashes {
  readonly sha256?: Uint8Array;
  readonly sha512?: Uint8Array;
}

/**
 * The value of a Content-Digest field for these bytes, which must be the bytes on the wire, after any content coding
 * and before any transfer coding (RFC 9530 §2).
 *
 * @example computeContentDigest(Buffer.from('{"hello": "world"}')) // 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:'
 */
export function computeContentDigest(content: Uint8Array, algorithm: DigestAlgorithm = 'sha-256'): string {
  if (!Object.hasOwn(HASHES, algorithm)) throw new SignatureError('argument', `no digest algorithm: ${algorithm}`);
  return `${algorithm}=:${createHash(HASHES[algorithm].hash).update(content).digest('base64')}:`;
}

/**
 * Reads the Content-Digest of a message. Algorithms that are unknown or insecure (`md5`, `sha`, `unixsum`, …) are
 * ignored as RFC 9530 §2 asks, but a field with nothing else is refused.
 */
export function parseContentDigest(
  rawFields: RawFields | FieldSection,
): { readonly ok: true; readonly digests: ContentDigests } | ContentDigestRefusal {
  const value = fieldValue(rawFields, 'content-digest');
  if (value === undefined) return refuse('missing', 'no Content-Digest');
  if (value.length > MAX_FIELD_LENGTH) return refuse('malformed', `longer than ${MAX_FIELD_LENGTH}`);
  const only = readSingleBytes(value);
  if (only !== undefined && isSupported(only[0]) && only[1].length === HASHES[only[0]].bytes) {
    return { ok: true, digests: new Map([[only[0], only[1]]]) };
  }
  const parsed = parseDictionary(value, { duplicates: 'refuse' });
  if (!parsed.ok) return refuse('malformed', parsed.problem.detail);
  const digests = new Map<DigestAlgorithm, Uint8Array>();
  for (const [name, member] of parsed.value) {
    if (isInnerList(member) || member.value.type !== 'bytes')
      return refuse('malformed', 'a digest is no byte sequence');
    if (!isSupported(name)) continue;
    if (member.value.value.length !== HASHES[name].bytes)
      return refuse('malformed', `a ${name} digest of wrong length`);
    digests.set(name, member.value.value);
  }
  return digests.size > 0 ? { ok: true, digests } : refuse('unsupported', 'neither sha-256 nor sha-512');
}

/**
 * Compares content, or hashes of it, with all parsed digests. A single digest that does not match is a mismatch.
 *
 * @throws SignatureError `argument` if a hash that the digests need was not supplied
 */
export function verifyContentDigest(
  digests: ContentDigests,
  content: Uint8Array | ContentHashes,
): { readonly ok: true } | { readonly ok: false; readonly code: 'mismatch'; readonly detail: string } {
  // An empty map proves nothing. The parser never returns one.
  if (digests.size === 0) throw new SignatureError('argument', 'no digests to compare with');
  for (const [algorithm, expected] of digests) {
    const { hash } = HASHES[algorithm];
    const actual = content instanceof Uint8Array ? createHash(hash).update(content).digest() : content[hash];
    if (actual === undefined) throw new SignatureError('argument', `the ${hash} of the content was not supplied`);
    if (Buffer.compare(actual, expected) !== 0) {
      return { ok: false, code: 'mismatch', detail: `the content does not have the ${algorithm} digest` };
    }
  }
  return { ok: true };
}

function isSupported(name: string): name is DigestAlgorithm {
  return Object.hasOwn(HASHES, name);
}

function refuse(code: ContentDigestRefusal['code'], detail: string): ContentDigestRefusal {
  return { ok: false, code, detail };
}
