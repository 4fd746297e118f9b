import { Pages } from './pages.js';
import { Replay } from './replay.js';
import type { BodyLimits } from '../../model/request-body.js';
import { Spool } from './spool.js';
import type { Tap } from './tap.js';

/** The bytes of a held body: in memory as long as they are few, in a file otherwise. */
export class KeptBytes {
  readonly #tap: Tap;
  readonly #limits: BodyLimits;
  readonly #failed: (error: unknown) => void;
  readonly #pages = new Pages();
  #spool: Spool | undefined;
  #replay: Replay | undefined;
  #length = 0;

  constructor(tap: Tap, limits: BodyLimits, failed: (error: unknown) => void) {
    this.#tap = tap;
    this.#limits = limits;
    this.#failed = failed;
  }

  /** False: enough for now. The tap is pulled when there is room. */
  append(bytes: Buffer): boolean {
    this.#length += bytes.length;
    if (this.#length > this.#limits.memoryBytes) return this.#spoolFrom(bytes);
    this.#pages.append(bytes);
    return true;
  }

  /** Resolves once all can be read again, or never will be. */
  async settled(): Promise<void> {
    await this.#spool?.written();
  }

  /** Hands everything to the reader of the request, then the end. */
  replay(): void {
    if (this.#spool === undefined) {
      for (const page of this.#pages.take()) this.#tap.deliver(page);
      this.#tap.deliver(null);
      return;
    }
    this.#replay = new Replay(this.#tap, this.#spool, this.#length);
  }

  /** Keeps nothing any longer, except for somebody who is just reading it. */
  drop(): void {
    this.#pages.clear();
    if (this.#replay === undefined) this.#spool?.close();
    else this.#replay.finishSoon(this.#limits.timeoutSeconds);
  }

  #spoolFrom(bytes: Buffer): boolean {
    if (this.#spool === undefined) {
      this.#spool = new Spool(this.#limits.spoolDirectory, { room: () => this.#tap.pull(), failed: this.#failed });
      for (const page of this.#pages.take()) this.#spool.append(page);
    }
    return this.#spool.append(bytes);
  }
}
