import type { DigestAlgorithm } from '@countersign/signature';
import { Digester } from './digester.js';
import { KeptBytes } from './kept-bytes.js';
import { type BodyFailure, type BodyLimits, bodyFailure, type HeldBody } from './request-body.js';
import type { ChunkSink, Tap } from './tap.js';

/** Keeps a body back while it is digested, all of it. */
export class Holding implements ChunkSink {
  readonly result: Promise<HeldBody>;
  readonly #limits: BodyLimits;
  readonly #digester: Digester;
  readonly #kept: KeptBytes;
  readonly #timer: NodeJS.Timeout;
  #settle: (result: HeldBody) => void = () => {};
  #phase: 'holding' | 'held' | 'failed' | 'released' = 'holding';
  #length = 0;

  constructor(tap: Tap, limits: BodyLimits, algorithms: readonly DigestAlgorithm[]) {
    this.#limits = limits;
    this.#digester = new Digester(algorithms);
    this.#kept = new KeptBytes(tap, limits, (error) => this.#fail(bodyFailure('spool_unavailable', String(error))));
    this.result = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const { timeoutSeconds } = limits;
    this.#timer = setTimeout(
      () => this.#fail(bodyFailure('body_timeout', `${this.#length} bytes came in ${timeoutSeconds} s`)),
      timeoutSeconds * 1000,
    ).unref();
  }

  chunk(bytes: Buffer): boolean {
    if (this.#phase !== 'holding') return false;
    this.#length += bytes.length;
    if (this.#length > this.#limits.maxBytes) {
      this.#fail(bodyFailure('body_too_large', `more than ${this.#limits.maxBytes} bytes`));
      return false;
    }
    this.#digester.update(bytes);
    return this.#kept.append(bytes);
  }

  end(): void {
    void this.#kept.settled().then(() => this.#succeed());
  }

  cut(): void {
    this.#fail(bodyFailure('body_incomplete', `the client went away after ${this.#length} bytes`));
  }

  release(): void {
    if (this.#phase !== 'held') throw new Error(`release() on a body that is ${this.#phase}`);
    this.#phase = 'released';
    this.#kept.replay();
  }

  discard(): void {
    this.#fail(bodyFailure('body_incomplete', 'discarded before its end'));
    this.#kept.drop();
  }

  #succeed(): void {
    if (this.#phase !== 'holding') return;
    this.#phase = 'held';
    clearTimeout(this.#timer);
    this.#settle({ ok: true, length: this.#length, digests: this.#digester.finish() });
  }

  #fail(failure: BodyFailure): void {
    if (this.#phase !== 'holding') return;
    this.#phase = 'failed';
    clearTimeout(this.#timer);
    this.#kept.drop();
    this.#settle(failure);
  }
}
