import { createHash, type Hash } from 'node:crypto';
import type { DigestAlgorithm } from '@countersign/signature';

const hashNames = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const satisfies Record<DigestAlgorithm, string>;

/** Digests one body under every algorithm that its Content-Digest names (RFC 9530 §2), while it arrives. */
export class Digester {
  readonly #hashes: ReadonlyMap<DigestAlgorithm, Hash>;

  constructor(algorithms: readonly DigestAlgorithm[]) {
    this.#hashes = new Map(algorithms.map((algorithm) => [algorithm, createHash(hashNames[algorithm])]));
  }

  update(bytes: Uint8Array): void {
    for (const hash of this.#hashes.values()) hash.update(bytes);
  }

  finish(): ReadonlyMap<DigestAlgorithm, Uint8Array> {
    return new Map([...this.#hashes].map(([algorithm, hash]) => [algorithm, hash.digest()]));
  }
}
