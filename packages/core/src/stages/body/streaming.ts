import { Digester, digestFailure } from './digester.js';
import { drainMilliseconds, Draining } from './draining.js';
import { failWhenRead, recordPipes } from './fail-reader.js';
import { isClosedStream } from './http2-stream.js';
import { earlyBytes, Pages } from './pages.js';
import { type BodyFailure, type BodyLimits, bodyFailure, type Digests } from '../../model/request-body.js';
import type { BodyTaker, Tap } from './tap.js';

export interface StreamingOptions {
  readonly expected: Digests;
  /** Told of the failure of the reader. If nobody heard it, no handler will answer. */
  readonly onFailure: (failure: BodyFailure, heard: boolean) => void;
}

/**
 * Hands a body to its reader while it comes and is digested. The end is kept back until every digest has matched, with the
 * chunk that completes the stated length, for whoever counts. If one does not match, the request is destroyed with an error
 * before its end.
 */
export class Streaming implements BodyTaker {
  readonly verdict: Promise<BodyFailure | undefined>;
  readonly #tap: Tap;
  readonly #limits: BodyLimits;
  readonly #expected: Digests;
  readonly #onFailure: StreamingOptions['onFailure'];
  readonly #digester: Digester;
  /** What came before it may flow. */
  readonly #early = new Pages();
  /** Has the last byte of the stated length. */
  #last: Buffer | undefined;
  readonly #statedLength: number;
  readonly #destinations: ReturnType<typeof recordPipes>;
  readonly #silence: NodeJS.Timeout;
  #settle: (failure: BodyFailure | undefined) => void = () => {};
  #state: 'coming' | 'whole' | BodyFailure = 'coming';
  #flows = false;
  #isAnswered = false;
  #readerIsBehind = false;
  #draining: Draining | undefined;
  #length = 0;

  constructor(tap: Tap, limits: BodyLimits, { expected, onFailure }: StreamingOptions) {
    this.#tap = tap;
    this.#limits = limits;
    this.#expected = expected;
    this.#onFailure = onFailure;
    this.#digester = new Digester(expected.keys());
    this.#destinations = recordPipes(tap.request);
    this.#statedLength = Number(tap.request.headers['content-length'] ?? Infinity);
    this.verdict = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#silence = setTimeout(() => this.#tooSilent(), limits.timeoutSeconds * 1000).unref();
  }

  /** What is known to be wrong before anything flows. */
  begin(): BodyFailure | undefined {
    return this.#failure;
  }

  chunk(bytes: Buffer): boolean {
    if (this.#state === 'coming') this.#digest(bytes);
    if (this.#draining !== undefined) return this.#draining.chunk(bytes);
    if (this.#isAnswered) return true;
    if (this.#state !== 'coming') return false;
    if (this.#flows) return this.#passOn(bytes);
    this.#early.append(bytes);
    return this.#early.length < earlyBytes;
  }

  end(): void {
    this.#draining?.cut();
    if (this.#state !== 'coming') return;
    const failure = digestFailure(this.#expected, this.#digester.finish());
    if (failure !== undefined) {
      this.#fail(failure);
      return;
    }
    clearTimeout(this.#silence);
    this.#state = 'whole';
    this.#settle(undefined);
    if (this.#flows && this.#draining === undefined) this.#passEnd();
  }

  cut(): void {
    this.#draining?.cut();
    this.#fail(bodyFailure('body_incomplete', `the client went away after ${this.#length} bytes`));
    this.#settle(this.#failure);
  }

  release(): void {
    this.#flows = true;
    // Node would drop an unread rest past us, after the answer.
    this.#tap.pull();
    for (const page of this.#early.take()) this.#passOn(page);
    if (this.#state === 'whole') this.#passEnd();
    if (this.#failure !== undefined) this.#failReader(this.#failure);
  }

  /** Call it after the answer. The rest of a body that flowed is digested for the verdict, and no reader gets it. */
  discard(): void {
    this.#early.clear();
    this.#last = undefined;
    const discarded = bodyFailure('body_incomplete', 'discarded before its end');
    if (!this.#flows) this.#fail(discarded);
    else if (this.#state === 'coming') failWhenRead(this.#tap.request, discarded, this.#destinations);
    if (this.#failure !== undefined) this.#settle(this.#failure);
    if (this.#flows) this.#dropRest(discarded);
  }

  /**
   * Over HTTP/1, the answer may have said that the connection stays, and a proxy may have sent the next request of somebody
   * else on it. So the rest is read as Node reads it without a guard, and only the verdict is bounded.
   */
  #dropRest(discarded: BodyFailure): void {
    if (this.#tap.stream !== undefined) {
      this.#drain();
      return;
    }
    this.#isAnswered = true;
    const timer = setTimeout(() => this.#fail(discarded), drainMilliseconds).unref();
    void this.verdict.then(() => clearTimeout(timer));
    this.#tap.pull();
  }

  get #failure(): BodyFailure | undefined {
    return typeof this.#state === 'string' ? undefined : this.#state;
  }

  #passOn(bytes: Buffer): boolean {
    if (this.#length < this.#statedLength) return this.#tap.deliver(bytes);
    const before = this.#last;
    this.#last = bytes;
    return before === undefined || this.#tap.deliver(before);
  }

  #passEnd(): void {
    if (this.#last !== undefined) this.#tap.deliver(this.#last);
    this.#last = undefined;
    this.#tap.deliver(null);
  }

  #digest(bytes: Buffer): void {
    this.#silence.refresh();
    this.#length += bytes.length;
    if (this.#length <= this.#limits.maxBytes) this.#digester.update(bytes);
    else this.#fail(bodyFailure('body_too_large', `more than ${this.#limits.maxBytes} bytes`));
  }

  #tooSilent(): void {
    // While the reader is behind, or has left, it is not the client who is silent, nor just after it has caught up.
    const { request, stream } = this.#tap;
    const readerWasBehind = this.#readerIsBehind;
    this.#readerIsBehind = request.readableLength > 0;
    // Node keeps a stream that its client has reset for ever, if its answer waits and nobody reads on.
    if (isClosedStream(stream)) this.#tap.cutOff();
    else if (readerWasBehind || this.#readerIsBehind || request.destroyed) this.#silence.refresh();
    else this.#fail(bodyFailure('body_timeout', `nothing came for ${this.#limits.timeoutSeconds} s`));
  }

  #fail(failure: BodyFailure): void {
    if (this.#state !== 'coming') return;
    this.#state = failure;
    clearTimeout(this.#silence);
    if (this.#isAnswered || this.#draining !== undefined) this.#settle(failure);
    else if (this.#flows) this.#failReader(failure);
  }

  #failReader(failure: BodyFailure): void {
    failWhenRead(this.#tap.request, failure, this.#destinations, (heard) => {
      this.#settle(failure);
      if (!this.#tap.gone) this.#onFailure(failure, heard);
      this.#drain();
    });
  }

  #drain(): void {
    if (!this.#isAnswered && !this.#tap.ended && !this.#tap.gone) this.#draining ??= new Draining(this.#tap);
  }
}
