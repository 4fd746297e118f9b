import { Frontier, leafHash, noPrev } from '@countersign/audit-verifier';
import { sealRecord } from '../record/record.js';

/** The state of a log: its size, the hash of its last record, and the frontier of its Merkle tree. */
export class LogChain {
  readonly #tree: Frontier;
  #prev: string;

  constructor(tree: Frontier = new Frontier(), prev: string = noPrev) {
    this.#tree = tree;
    this.#prev = prev;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** The `prev` of the next record. */
  get prev(): string {
    return this.#prev;
  }

  get root(): Buffer {
    return this.#tree.root();
  }

  get frontier(): string[] {
    return this.#tree.hashes.map((hash) => hash.toString('hex'));
  }

  /** Numbers and links a rendered record; returns its line. One hash serves the chain and the tree. */
  append(rendered: string): Buffer {
    const line = Buffer.from(`${sealRecord(this.size + 1, rendered, this.#prev)}\n`);
    this.push(leafHash(line.subarray(0, -1)));
    return line;
  }

  push(hash: Buffer): void {
    this.#tree.push(hash);
    this.#prev = hash.toString('hex');
  }

  /** For a batch that may fail: only durable records count. */
  clone(): LogChain {
    return new LogChain(this.#tree.clone(), this.#prev);
  }
}
