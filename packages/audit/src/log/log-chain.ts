import { Frontier, leafHash, noPrev } from '@countersign/audit-verifier';
import { sealRecord } from '../record/record.js';

/** Where a log stands: how many records, the hash of the last one, the frontier of the tree over all. */
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

  /** The hash that the next record must name. */
  get prev(): string {
    return this.#prev;
  }

  get root(): Buffer {
    return this.#tree.root();
  }

  get frontier(): string[] {
    return this.#tree.hashes.map((hash) => hash.toString('hex'));
  }

  /** Gives a rendered record its place. One hash serves the chain and the tree. */
  seal(rendered: string): string {
    const line = sealRecord(this.size + 1, rendered, this.#prev);
    this.push(leafHash(Buffer.from(line)));
    return `${line}\n`;
  }

  push(hash: Buffer): void {
    this.#tree.push(hash);
    this.#prev = hash.toString('hex');
  }

  /** For a batch that may fail: only what is durable counts. */
  clone(): LogChain {
    return new LogChain(this.#tree.clone(), this.#prev);
  }
}
