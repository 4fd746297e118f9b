import { bodyError } from './body-error.js';
import { failReader } from './fail-reader.js';
import { isBeingRead } from './readers.js';
import { bodyFailure } from '../../model/request-body.js';
import type { Spool } from './spool.js';
import type { Tap } from './tap.js';

/** Each block costs a way to the thread pool and back: blocks of 64 KiB took three times as long. */
const blockBytes = 512 * 1024;

/** Hands a spooled body to the reader of the request, a block each time that the reader has room. */
export class Replay {
  readonly #tap: Tap;
  readonly #spool: Spool;
  readonly #length: number;
  #position = 0;
  /** The next block, fetched while the reader is busy with the one before. */
  #ahead: Promise<Buffer> | undefined;
  #giving = false;
  #over = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(tap: Tap, spool: Spool, length: number) {
    this.#tap = tap;
    this.#spool = spool;
    this.#length = length;
    const { request } = tap;
    request.once('close', () => this.#finish());
    request._read = () => void this.#give();
    if (request.destroyed) this.#finish();
    // A reader that waits already has asked before there was anything to give.
    else void this.#give();
  }

  /** The answer is out. A handler may answer first and read on, but one that has not begun to read never will. */
  finishSoon(patienceSeconds: number): void {
    if (this.#over) return;
    const { request } = this.#tap;
    if (!isBeingRead(request) && !request.readableDidRead) this.#fail('nobody read the body before the answer');
    else this.#patience = setTimeout(() => this.#fail('nobody reads on'), patienceSeconds * 1000).unref();
  }

  async #give(): Promise<void> {
    if (this.#giving || this.#over) return;
    this.#giving = true;
    this.#patience?.refresh();
    let block: Buffer;
    try {
      block = await (this.#ahead ?? this.#read());
    } catch (error) {
      this.#fail(String(error));
      return;
    }
    this.#giving = false;
    if (this.#over) return;
    if (block.length === 0) {
      this.#fail('the file is shorter than the body was');
      return;
    }
    this.#position += block.length;
    const whole = this.#position === this.#length;
    if (whole) this.#finish();
    else this.#readAhead();
    this.#tap.deliver(block);
    if (whole) this.#tap.deliver(null);
  }

  #readAhead(): void {
    this.#ahead = this.#read();
    // Whoever asks for it is told. Nobody may ask.
    this.#ahead.catch(() => {});
  }

  #read(): Promise<Buffer> {
    return this.#spool.read(this.#position, Math.min(blockBytes, this.#length - this.#position));
  }

  #fail(detail: string): void {
    if (this.#over) return;
    this.#finish();
    failReader(this.#tap.request, bodyError(bodyFailure('spool_unavailable', detail)));
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#patience);
    this.#spool.close();
  }
}
