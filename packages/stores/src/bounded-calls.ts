import { withTimeout } from '@countersign/common';

/** More calls than this do not wait for a store that has stopped answering. */
const mostWaiting = 10_000;

/** A shared store cannot answer now. Requests that need it are refused with 503. */
export class SharedStoreUnavailable extends Error {
  override readonly name = 'SharedStoreUnavailable';
}

/**
 * Calls a store: each call once, because one that seems to have failed may have been executed; within a time limit; and
 * only so many at once.
 */
export class BoundedCalls {
  readonly #store: string;
  readonly #milliseconds: number;
  #waiting = 0;

  /** `store`: its name in messages. */
  constructor(store: string, timeoutSeconds: number) {
    this.#store = store;
    this.#milliseconds = timeoutSeconds * 1000;
  }

  async run<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    if (this.#waiting >= mostWaiting) {
      throw new SharedStoreUnavailable(`${mostWaiting} calls wait for ${this.#store} already`);
    }
    return await withTimeout(this.#milliseconds, this.#counted(call), () => {
      throw new SharedStoreUnavailable(`${this.#store} did not answer within ${this.#milliseconds / 1000} s`);
    });
  }

  /** A call counts until it has ended, also after its time limit: its client still holds it. */
  async #counted<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    this.#waiting += 1;
    try {
      return await call();
    } finally {
      this.#waiting -= 1;
    }
  }
}
