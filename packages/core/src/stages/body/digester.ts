import { createHash, hash as digestOf, type Hash, timingSafeEqual } from 'node:crypto';
import type { DigestAlgorithm } from '@countersign/signature';
import { type BodyFailure, bodyFailure, type Digests } from '../../model/request-body.js';

const hashNames = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const satisfies Record<DigestAlgorithm, string>;

/** Digests one body under every algorithm that its Content-Digest names (RFC 9530 §2), while it arrives. */
export class Digester {
  readonly #hashes: ReadonlyMap<DigestAlgorithm, Hash>;

  constructor(algorithms: Iterable<DigestAlgorithm>) {
    this.#hashes = new Map([...algorithms].map((algorithm) => [algorithm, createHash(hashNames[algorithm])]));
  }

  update(bytes: Uint8Array): void {
    for (const hash of this.#hashes.values()) hash.update(bytes);
  }

  finish(): Digests {
    return new Map([...this.#hashes].map(([algorithm, hash]) => [algorithm, hash.digest()]));
  }
}

/** Why a body that is one piece is not what was signed. */
export function digestFailureOf(bytes: Uint8Array, expected: Digests): BodyFailure | undefined {
  for (const [algorithm, digest] of expected) {
    // Through a binary string, since Node takes three times as long to return a buffer.
    const computed = Buffer.from(digestOf(hashNames[algorithm], bytes, 'binary'), 'binary');
    if (computed.length !== digest.length || !timingSafeEqual(computed, digest)) {
      return bodyFailure('digest_mismatch', algorithm);
    }
  }
  return undefined;
}

/** Why a body is not what was signed: every expected digest must match. */
export function digestFailure(expected: Digests, actual: Digests): BodyFailure | undefined {
  for (const [algorithm, digest] of expected) {
    const computed = actual.get(algorithm);
    if (computed === undefined || computed.length !== digest.length || !timingSafeEqual(computed, digest)) {
      return bodyFailure('digest_mismatch', algorithm);
    }
  }
  return undefined;
}
