import type { Resource } from '@countersign/policy';

/** Most bytes of the resources of a batch. Proxies take 1 MiB by default (nginx), Cerbos 4 MiB. */
const maxBatchBytes = 524_288;

interface Batch {
  readonly texts: string[];
  bytes: number;
}

/**
 * Batches of at most `size` resources. A text is asked about once. No batch names a resource twice: Cerbos answers about all
 * of one type and id as it does about the first, whatever their attributes.
 */
export class Batches {
  readonly #size: number;
  readonly #all: Batch[] = [];
  readonly #texts = new Set<string>();
  /** For each type and id, the first batch that lacks it. */
  readonly #next = new Map<string, number>();
  /** The first batch that may have room. A full batch closes those before it, so that no resource searches them all. */
  #open = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** The texts of each batch. */
  get texts(): readonly (readonly string[])[] {
    return this.#all.map(({ texts }) => texts);
  }

  /** Adds a resource by its written text, to the first batch that does not name it and has room. */
  add({ type, id }: Resource, text: string): void {
    if (this.#texts.has(text)) return;
    this.#texts.add(text);
    const name = JSON.stringify([type, id]);
    const bytes = Buffer.byteLength(text);
    let at = Math.max(this.#open, this.#next.get(name) ?? 0);
    while (this.#isFull(at, bytes)) this.#open = at += 1;
    const batch = (this.#all[at] ??= { texts: [], bytes: 0 });
    batch.texts.push(text);
    batch.bytes += bytes;
    this.#next.set(name, at + 1);
  }

  #isFull(at: number, bytes: number): boolean {
    const batch = this.#all[at];
    return batch !== undefined && (batch.texts.length === this.#size || batch.bytes + bytes > maxBatchBytes);
  }
}
