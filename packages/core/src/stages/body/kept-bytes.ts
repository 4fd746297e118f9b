import { KeptReader, type KeptSource, SpoolBlocks } from './kept-reader.js';
import { Pages } from './pages.js';
import type { BodyLimits } from '../../model/request-body.js';
import { largeBatch, smallBatch, Spool, type SpoolSender } from './spool.js';
import type { Tap } from './tap.js';

/** The bytes of a held body: in memory up to a limit and as long as there is room, in a file beyond it. */
export class KeptBytes {
  readonly #tap: Tap;
  readonly #limits: BodyLimits;
  readonly #sender: SpoolSender;
  readonly #failed: (error: unknown) => void;
  readonly #pages = new Pages();
  #spool: Spool | undefined;
  #reader: KeptReader | undefined;
  #length = 0;
  /** Bytes of the sender's share of the memory. */
  #taken = 0;

  constructor(tap: Tap, limits: BodyLimits, sender: string, failed: (error: unknown) => void) {
    this.#tap = tap;
    this.#limits = limits;
    this.#sender = {
      name: sender,
      memory: limits.heldMemory.shareOf(sender),
      disk: limits.heldDisk.shareOf(sender),
      files: limits.heldFiles.shareOf(sender),
    };
    this.#failed = failed;
  }

  get length(): number {
    return this.#length;
  }

  get isSpooled(): boolean {
    return this.#spool !== undefined;
  }

  /** Returns false when the sender must wait; the tap is pulled when there is room. */
  append(bytes: Buffer): boolean {
    this.#length += bytes.length;
    if (!this.#fitsInMemory(bytes.length)) return this.#spoolFrom(bytes);
    this.#pages.append(bytes);
    return true;
  }

  /** For the little that still comes after a failure. */
  appendInMemory(bytes: Buffer): void {
    this.#length += bytes.length;
    this.#pages.append(bytes);
  }

  /** Resolves when all bytes can be read again, or the spool has failed. */
  async settled(): Promise<void> {
    await this.#spool?.written();
  }

  /** Delivers all bytes and the end to the reader of the request, as it asks for them. */
  deliver(): void {
    const source =
      this.#spool === undefined
        ? this.#pagesInMemory()
        : new SpoolBlocks(this.#spool, this.#sender.memory, this.#length);
    this.#reader = new KeptReader(this.#tap, source, this.#length);
  }

  /** Delivers the bytes in memory without an end. */
  deliverPart(): void {
    this.#giveBack(this.#taken);
    for (const page of this.#pages.take()) this.#tap.deliver(page);
  }

  /** Releases the bytes, except for a reader that is still reading them. */
  drop(): void {
    if (this.#reader !== undefined) {
      this.#reader.finishSoon(this.#limits.timeoutSeconds);
      return;
    }
    this.#giveBack(this.#taken);
    this.#pages.clear();
    this.#spool?.close();
  }

  #pagesInMemory(): KeptSource {
    const pages = [...this.#pages.take()];
    return {
      atOnce: this.#tap.stream !== undefined,
      next: () => {
        const [page = Buffer.alloc(0)] = pages.splice(0, 1);
        this.#giveBack(page.length);
        return page;
      },
      relax: () => {},
      close: () => {
        pages.length = 0;
        this.#giveBack(this.#taken);
      },
    };
  }

  #fitsInMemory(more: number): boolean {
    if (this.#spool !== undefined || this.#length > this.#limits.memoryBytes) return false;
    if (!this.#sender.memory.take(more)) return false;
    this.#taken += more;
    return true;
  }

  /** Gives back at most this many bytes: what came after a failure was never taken. */
  #giveBack(most: number): void {
    const bytes = Math.min(most, this.#taken);
    this.#sender.memory.give(bytes);
    this.#taken -= bytes;
  }

  #spoolFrom(bytes: Buffer): boolean {
    if (this.#spool === undefined) {
      // Many small bodies would each wait for a large batch, in memory.
      const isLarge = this.#length > this.#limits.memoryBytes;
      const events = { room: () => this.#tap.pull(), failed: this.#failed };
      const batch = isLarge ? largeBatch : smallBatch;
      this.#spool = new Spool(this.#limits.spoolDirectory, events, this.#sender, batch);
      this.#giveBack(this.#taken);
      for (const page of this.#pages.take()) this.#spool.append(page);
    }
    return this.#spool.append(bytes);
  }
}
