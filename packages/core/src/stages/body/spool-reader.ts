import { failReader, failWhenRead } from './fail-reader.js';
import { whenClosed } from './http2-stream.js';
import { isBeingRead, whenRead } from './readers.js';
import { type BodyFailure, bodyFailure } from '../../model/request-body.js';
import type { Spool } from './spool.js';
import type { Tap } from './tap.js';

/** Each read crosses the thread pool: blocks of 64 KiB took three times as long. */
const blockBytes = 512 * 1024;

/** Why a reader that comes after the answer gets no body. */
export const unreadDetail = 'nobody read the body before the answer';

/** Delivers a spooled body to the reader of the request, one block each time the reader has room. */
export class SpoolReader {
  readonly #tap: Tap;
  readonly #spool: Spool;
  readonly #length: number;
  #position = 0;
  /** The next block, read while the request's reader handles the current one. */
  #ahead: Promise<Buffer> | undefined;
  #delivering = false;
  #finished = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(tap: Tap, spool: Spool, length: number) {
    this.#tap = tap;
    this.#spool = spool;
    this.#length = length;
    const { request } = tap;
    request._read = () => void this.#deliverNext();
    whenClosed(tap, () => this.#fail(bodyFailure('body_incomplete', 'the client went away')));
    // A reader that is waiting already will not call `_read` again. Before there is one, no block is in memory.
    if (!this.#finished) whenRead(request, () => void this.#deliverNext());
  }

  /** Call it after the response: a handler that reads already may read on, and one that has not begun never will. */
  finishSoon(patienceSeconds: number): void {
    if (this.#finished) return;
    if (!isBeingRead(this.#tap.request) && this.#position === 0) this.#fail(unavailable(unreadDetail));
    else this.#patience = setTimeout(() => this.#fail(unavailable('nobody reads on')), patienceSeconds * 1000).unref();
  }

  async #deliverNext(): Promise<void> {
    if (this.#delivering || this.#finished) return;
    this.#delivering = true;
    this.#patience?.refresh();
    let block: Buffer;
    try {
      block = await (this.#ahead ?? this.#read());
    } catch (error) {
      this.#fail(unavailable(String(error)));
      return;
    }
    this.#delivering = false;
    if (this.#finished) return;
    if (block.length === 0) {
      this.#fail(unavailable('the file is shorter than the body was'));
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
    // A failure is handled where the block is awaited, which may never happen.
    this.#ahead.catch(() => {});
  }

  #read(): Promise<Buffer> {
    return this.#spool.read(this.#position, Math.min(blockBytes, this.#length - this.#position));
  }

  #fail(failure: BodyFailure): void {
    if (this.#finished) return;
    this.#finish();
    // A reader that has begun and pauses is told at once.
    const fail = this.#position > 0 ? failReader : failWhenRead;
    fail(this.#tap.request, failure);
  }

  #finish(): void {
    this.#finished = true;
    clearTimeout(this.#patience);
    this.#spool.close();
  }
}

function unavailable(detail: string): BodyFailure {
  return bodyFailure('spool_unavailable', detail);
}
