import { Frontier } from './merkle.js';

/** The hashes of all leaves of a tree, 32 bytes each. */
export class LeafHashes {
  #bytes = Buffer.alloc(32 * 1024);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  push(hash: Uint8Array): void {
    if ((this.#count + 1) * 32 > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    }
    this.#bytes.set(hash, this.#count * 32);
    this.#count += 1;
  }

  /** RFC 6962 §2.1.1: the hashes from a leaf to the root of the first `size` leaves. */
  inclusionProof(index: number, size: number): Buffer[] {
    return this.#path(index, 0, size);
  }

  /** RFC 6962 §2.1.2: the hashes that prove the first `size1` leaves to be a prefix of the first `size2`. */
  consistencyProof(size1: number, size2: number): Buffer[] {
    return size1 === 0 || size1 === size2 ? [] : this.#subproof(size1, 0, size2, true);
  }

  #path(index: number, start: number, end: number): Buffer[] {
    if (end - start <= 1) return [];
    const middle = start + split(end - start);
    return index < middle
      ? [...this.#path(index, start, middle), this.#root(middle, end)]
      : [...this.#path(index, middle, end), this.#root(start, middle)];
  }

  #subproof(size1: number, start: number, end: number, whole: boolean): Buffer[] {
    if (start + size1 === end) return whole ? [] : [this.#root(start, end)];
    const left = split(end - start);
    return size1 <= left
      ? [...this.#subproof(size1, start, start + left, whole), this.#root(start + left, end)]
      : [...this.#subproof(size1 - left, start + left, end, false), this.#root(start, start + left)];
  }

  #root(start: number, end: number): Buffer {
    const frontier = new Frontier();
    for (let index = start; index < end; index++) frontier.push(this.#leaf(index));
    return frontier.root();
  }

  #leaf(index: number): Buffer {
    return this.#bytes.subarray(index * 32, (index + 1) * 32);
  }
}

/** The largest power of two below a size: the size of the left subtree. */
function split(size: number): number {
  let left = 1;
  while (left * 2 < size) left *= 2;
  return left;
}
