import { awaitsContinue } from './expect-continue.js';
import type { ChunkSink, Tap } from './tap.js';

/** Read and dropped after a refusal, so that the connection can be used again. */
const drainBytes = 1024 * 1024;
export const drainMilliseconds = 2000;

/** Drops the rest of a body. An undrained rest would stall the next request on this connection: past the bounds it goes. */
export class Draining implements ChunkSink {
  readonly #tap: Tap;
  readonly #timer: NodeJS.Timeout;
  #dropped = 0;

  constructor(tap: Tap) {
    this.#tap = tap;
    this.#timer = setTimeout(() => tap.cutOff(), drainMilliseconds).unref();
    // A client that waits for 100 Continue will not send what nobody asks for.
    if (!awaitsContinue(tap.request)) tap.pull();
  }

  chunk(bytes: Buffer): boolean {
    this.#dropped += bytes.length;
    return this.#dropped <= drainBytes;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#tap.deliver(null);
    this.#tap.request.resume();
  }

  cut(): void {
    clearTimeout(this.#timer);
  }
}
