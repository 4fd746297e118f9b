import { failWhenRead } from './fail-reader.js';
import { whenClosed } from './http2-stream.js';
import { Pages } from './pages.js';
import { bodyFailure, type BodyLimits } from '../../model/request-body.js';
import { whenRead } from './readers.js';
import { largeBatch, smallBatch, Spool, type SpoolSender } from './spool.js';
import { SpoolReader, unreadDetail } from './spool-reader.js';
import type { Tap } from './tap.js';

/** The bytes of a held body: in memory up to a limit and as long as there is room, in a file beyond it. */
export class KeptBytes {
  readonly #tap: Tap;
  readonly #limits: BodyLimits;
  readonly #sender: SpoolSender;
  readonly #failed: (error: unknown) => void;
  readonly #pages = new Pages();
  #spool: Spool | undefined;
  #reader: SpoolReader | undefined;
  #length = 0;
  #isDropped = false;
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

  /** Delivers all bytes and the end to the reader of the request, once there is one. */
  deliver(): void {
    if (this.#spool !== undefined) this.#reader = new SpoolReader(this.#tap, this.#spool, this.#length);
    else {
      whenRead(this.#tap.request, () => this.#deliverPages());
      whenClosed(this.#tap, () => this.drop());
    }
  }

  /** Delivers the bytes in memory without an end. */
  deliverPart(): void {
    this.#giveBack();
    for (const page of this.#pages.take()) this.#tap.deliver(page);
  }

  /** Releases the bytes, except for a reader that is still reading them. */
  drop(): void {
    this.#isDropped = true;
    this.#giveBack();
    this.#pages.clear();
    if (this.#reader === undefined) this.#spool?.close();
    else this.#reader.finishSoon(this.#limits.timeoutSeconds);
  }

  #deliverPages(): void {
    if (this.#isDropped) {
      failWhenRead(this.#tap.request, bodyFailure('body_incomplete', unreadDetail));
      return;
    }
    this.deliverPart();
    this.#tap.deliver(null);
  }

  #fitsInMemory(more: number): boolean {
    if (this.#spool !== undefined || this.#length > this.#limits.memoryBytes) return false;
    if (!this.#sender.memory.take(more)) return false;
    this.#taken += more;
    return true;
  }

  #giveBack(): void {
    this.#sender.memory.give(this.#taken);
    this.#taken = 0;
  }

  #spoolFrom(bytes: Buffer): boolean {
    if (this.#spool === undefined) {
      // Many small bodies would each wait for a large batch, in memory.
      const isLarge = this.#length > this.#limits.memoryBytes;
      const events = { room: () => this.#tap.pull(), failed: this.#failed };
      const batch = isLarge ? largeBatch : smallBatch;
      this.#spool = new Spool(this.#limits.spoolDirectory, events, this.#sender, batch);
      this.#giveBack();
      for (const page of this.#pages.take()) this.#spool.append(page);
    }
    return this.#spool.append(bytes);
  }
}
