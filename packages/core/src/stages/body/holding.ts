import { Digester, digestFailure } from './digester.js';
import { stateLength } from './http2-stream.js';
import { KeptBytes } from './kept-bytes.js';
import { type BodyFailure, type BodyLimits, bodyFailure, type Digests } from '../../model/request-body.js';
import type { BodyTaker, Tap } from './tap.js';

/** Keeps a body back while it is digested, all of it. */
export class Holding implements BodyTaker {
  /** What is released has verified. */
  readonly verdict: undefined;
  readonly #tap: Tap;
  readonly #result: Promise<BodyFailure | undefined>;
  readonly #limits: BodyLimits;
  readonly #expected: Digests;
  readonly #digester: Digester;
  readonly #kept: KeptBytes;
  readonly #timer: NodeJS.Timeout;
  #settle: (failure: BodyFailure | undefined) => void = () => {};
  #phase: 'holding' | 'held' | 'failed' | 'released' = 'holding';
  #length = 0;
  #isLost = false;

  constructor(tap: Tap, limits: BodyLimits, expected: Digests, sender: string = '') {
    this.#tap = tap;
    this.#limits = limits;
    this.#expected = expected;
    this.#digester = new Digester(expected.keys());
    const failed = (error: unknown) => this.#fail(bodyFailure('spool_unavailable', String(error)));
    this.#kept = new KeptBytes(tap, limits, sender, failed);
    this.#result = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const { timeoutSeconds } = limits;
    this.#timer = setTimeout(
      () => this.#fail(bodyFailure('body_timeout', `${this.#length} bytes came in ${timeoutSeconds} s`)),
      timeoutSeconds * 1000,
    ).unref();
  }

  begin(): Promise<BodyFailure | undefined> {
    // The client may have been made to wait, and some hosts deliver only when asked.
    this.#tap.pull();
    return this.#result;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  chunk(bytes: Buffer): boolean {
    if (this.#phase !== 'holding') {
      if (this.#isKept) this.#kept.appendInMemory(bytes);
      return false;
    }
    this.#length += bytes.length;
    if (this.#length > this.#limits.maxBytes) {
      this.#fail(bodyFailure('body_too_large', `more than ${this.#limits.maxBytes} bytes`));
      if (this.#isKept) this.#kept.appendInMemory(bytes);
      return false;
    }
    this.#digester.update(bytes);
    return this.#kept.append(bytes);
  }

  end(): void {
    void this.#kept.settled().then(() => this.#judge());
  }

  cut(): void {
    this.#fail(bodyFailure('body_incomplete', `the client went away after ${this.#length} bytes`));
  }

  release(): void {
    if (this.#phase !== 'held' && !this.#isKept) throw new Error(`release() on a body that is ${this.#phase}`);
    this.#phase = 'released';
    if (!this.#tap.ended) {
      // Only a failed body: it was kept so far, and the rest flows.
      this.#kept.deliverPart();
      this.#tap.open();
      return;
    }
    stateLength(this.#tap, this.#kept.length);
    this.#kept.deliver();
  }

  discard(): void {
    this.#fail(bodyFailure('body_incomplete', 'discarded before its end'));
    this.#kept.drop();
  }

  get #isKept(): boolean {
    return this.#phase === 'failed' && !this.#isLost;
  }

  #judge(): void {
    if (this.#phase !== 'holding') return;
    const failure = digestFailure(this.#expected, this.#digester.finish());
    if (failure !== undefined) {
      this.#fail(failure);
      return;
    }
    this.#phase = 'held';
    clearTimeout(this.#timer);
    this.#settle(undefined);
  }

  #fail(failure: BodyFailure): void {
    if (this.#phase !== 'holding') return;
    this.#phase = 'failed';
    clearTimeout(this.#timer);
    // A file can be delivered only once it is whole.
    const canKeep = !this.#kept.isSpooled || failure.code === 'digest_mismatch';
    this.#isLost = this.#limits.keepsFailed !== true || !canKeep;
    if (this.#isLost) this.#kept.drop();
    this.#settle(failure);
  }
}
