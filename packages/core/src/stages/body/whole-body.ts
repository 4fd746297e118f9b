import { type BodyFailure, bodyFailure, type BodyLimits, type Digests } from '../../model/request-body.js';
import { Digester, digestFailure, digestFailureOf } from './digester.js';
import { stateLength } from './http2-stream.js';
import type { Pages } from './pages.js';
import type { AcceptedBody, Tap } from './tap.js';

/** A small body that came whole while its signature was verified: no timer, and nothing to wait for. */
export class WholeBody implements AcceptedBody {
  /** What is released has verified. */
  readonly verdict: undefined;
  readonly #tap: Tap;
  readonly #pages: Pages;
  readonly #limits: BodyLimits;
  readonly #expected: Digests;

  constructor(tap: Tap, pages: Pages, limits: BodyLimits, expected: Digests) {
    this.#tap = tap;
    this.#pages = pages;
    this.#limits = limits;
    this.#expected = expected;
  }

  begin(): BodyFailure | undefined {
    const failure = this.#check();
    if (failure !== undefined && this.#limits.keepsFailed !== true) this.#pages.clear();
    return failure;
  }

  release(): void {
    stateLength(this.#tap, this.#pages.length);
    for (const page of this.#pages.take()) this.#tap.deliver(page);
    this.#tap.deliver(null);
  }

  discard(): void {
    this.#pages.clear();
  }

  #check(): BodyFailure | undefined {
    const { maxBytes } = this.#limits;
    if (this.#pages.length > maxBytes) return bodyFailure('body_too_large', `more than ${maxBytes} bytes`);
    const { single } = this.#pages;
    if (single !== undefined) return digestFailureOf(single, this.#expected);
    const digester = new Digester(this.#expected.keys());
    for (const page of this.#pages) digester.update(page);
    return digestFailure(this.#expected, digester.finish());
  }
}
