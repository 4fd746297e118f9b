import { hash } from 'node:crypto';

// RFC 6962 §2.1: a leaf can never pass for an inner node, since their hashes begin with different bytes.
const leafPrefix = 0;
const nodePrefix = 1;

const nothing = Buffer.alloc(0);

/** What is hashed is put together here: a buffer for each hash would take as long as the hash. */
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

/** By way of a string of 32 characters, one for each byte: Node takes three times as long to return a buffer. */
function sha256(bytes: Uint8Array): Buffer {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
}

/**
 * All that must be remembered of a tree to go on with it: the roots of its complete subtrees, one for each binary digit
 * of its size that is 1, largest first.
 */
export class Frontier {
  #size: number;
  readonly #hashes: Buffer[];

  constructor(size = 0, hashes: readonly Uint8Array[] = []) {
    this.#size = size;
    this.#hashes = hashes.map((hash) => Buffer.from(hash));
  }

  /** How many leaves the tree has. */
  get size(): number {
    return this.#size;
  }

  get hashes(): readonly Buffer[] {
    return this.#hashes;
  }

  push(leaf: Buffer): void {
    let hash = leaf;
    // Like a carry: a subtree of the same size as the new one joins with it. No bit operations: sizes exceed 32 bits.
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

  clone(): Frontier {
    return new Frontier(this.#size, this.#hashes);
  }
}

export interface Inclusion {
  /** Position of the leaf, from 0. */
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** RFC 9162 §2.1.3.2: whether the leaf is in the tree that has this root. */
export function verifyInclusion({ index, size, leaf, root, proof }: Inclusion): boolean {
  if (!isSize(index) || !isSize(size) || index >= size || ![leaf, root, ...proof].every(isHash)) return false;
  let node = index;
  let last = size - 1;
  let hash: Buffer = Buffer.from(leaf);
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      for (; !isOdd(node) && node !== 0; node = half(node)) last = half(last);
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && hash.equals(root);
}

export interface Consistency {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Uint8Array;
  readonly root2: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** RFC 9162 §2.1.4.2: whether the larger tree begins with the whole smaller one. Nothing is proved of an empty tree. */
export function verifyConsistency({ size1, size2, root1, root2, proof }: Consistency): boolean {
  if (!isSize(size1) || !isSize(size2) || size1 === 0 || size1 > size2) return false;
  if (size1 === size2) return proof.length === 0 && Buffer.from(root1).equals(root2);
  if (![root1, root2, ...proof].every(isHash)) return false;
  const [first, ...rest] = isPowerOfTwo(size1) ? [root1, ...proof] : proof;
  if (first === undefined || proof.length === 0) return false;
  let node = size1 - 1;
  let last = size2 - 1;
  for (; isOdd(node); node = half(node)) last = half(last);
  let hash1: Buffer = Buffer.from(first);
  let hash2: Buffer = hash1;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash1 = nodeHash(sibling, hash1);
      hash2 = nodeHash(sibling, hash2);
      for (; !isOdd(node) && node !== 0; node = half(node)) last = half(last);
    } else {
      hash2 = nodeHash(hash2, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && hash1.equals(root1) && hash2.equals(root2);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(value: Uint8Array): boolean {
  return value.length === emptyRoot.length;
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value)) && 2 ** Math.log2(value) === value;
}
