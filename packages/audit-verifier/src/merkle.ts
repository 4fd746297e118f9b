import { hash } from 'node:crypto';

// RFC 6962 §2.1: different prefixes, so that a leaf cannot pass for an inner node.
const leafPrefix = 0;
const nodePrefix = 1;

const nothing = Buffer.alloc(0);

/** Input of a hash: allocating a buffer each time would take as long as the hash. */
const scratch = Buffer.alloc(32 * 1024);

/** The root of the empty tree. */
export const emptyRoot: Buffer = sha256(nothing);

/** RFC 6962 §2.1: the hash of an entry. */
export function leafHash(entry: Uint8Array): Buffer {
  return hashOf(leafPrefix, entry, nothing);
}

/** RFC 6962 §2.1: the hash of two subtrees, side by side. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hashOf(nodePrefix, left, right);
}

function hashOf(prefix: number, left: Uint8Array, right: Uint8Array): Buffer {
  const length = 1 + left.length + right.length;
  const bytes = length <= scratch.length ? scratch : Buffer.alloc(length);
  bytes[0] = prefix;
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return sha256(bytes.subarray(0, length));
}

/** Through a binary string, since Node takes three times as long to return a buffer. */
function sha256(bytes: Uint8Array): Buffer {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
}

/**
 * The state needed to append to a tree: the roots of its complete subtrees, one for each 1 in its binary size, largest
 * first.
 */
export class Frontier {
  #size: number;
  readonly #hashes: Buffer[];

  constructor(size = 0, hashes: readonly Uint8Array[] = []) {
    this.#size = size;
    this.#hashes = hashes.map((hash) => Buffer.from(hash));
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  get hashes(): readonly Buffer[] {
    return this.#hashes;
  }

  push(leaf: Buffer): void {
    let hash = leaf;
    // Like a carry: subtrees of equal size are joined. No bit operations, since sizes exceed 32 bits.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#hashes.pop();
      if (left !== undefined) hash = nodeHash(left, hash);
    }
    this.#hashes.push(hash);
    this.#size += 1;
  }

  root(): Buffer {
    return this.#hashes.length === 0 ? emptyRoot : this.#hashes.reduceRight((right, left) => nodeHash(left, right));
  }

  /** Shares the hashes, which never change. */
  clone(): Frontier {
    const clone = new Frontier(this.#size);
    clone.#hashes.push(...this.#hashes);
    return clone;
  }
}
