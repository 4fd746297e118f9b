import type { IncomingMessage } from 'node:http';
import { andThen, type Awaitable } from '@countersign/common';
import { type BodyFailure, type BodyLimits, type Digests, type RequestBody } from '../../model/request-body.js';
import { Digester, digestFailure } from './digester.js';
import { Draining } from './draining.js';
import { Holding } from './holding.js';
import { cutOff, isClosedStream } from './http2-stream.js';
import { earlyBytes, Pages } from './pages.js';
import { obstacle, takeBuffered } from './readers.js';
import { Streaming, type StreamingOptions } from './streaming.js';
import { type AcceptedBody, type BodyTaker, Tap } from './tap.js';
import { WholeBody } from './whole-body.js';

type MakeTaker = (tap: Tap, limits: BodyLimits, expected: Digests, sender: string | undefined) => BodyTaker;

/** The body of a request of node:http, or of http2's compatibility API. */
export interface IncomingBody extends RequestBody {
  /** After `accept`: answers as `discard` does, when the body has ended. */
  readonly verdict: Awaitable<BodyFailure | undefined>;
}

/**
 * Takes the body of a request away from whoever reads it, and holds it until its digest has verified. Call it at once when
 * the request comes in, before anything is awaited.
 */
export function holdIncoming(request: IncomingMessage): IncomingBody {
  return new TakenBody(request);
}

/**
 * The same for a body that flows while it is digested. Its reader gets an error instead of the end if a digest does not
 * match, and `onFailure` is told. If nobody heard it, no handler will answer.
 */
export function streamIncoming(request: IncomingMessage, onFailure: StreamingOptions['onFailure']): IncomingBody {
  return new TakenBody(request, (tap, limits, expected, sender) => {
    // Without a digest there is nothing to compare a stream with.
    const comparable = expected.size > 0 && limits.maxBytes > 0 && limits.keepsFailed !== true && !showsItsEnd(request);
    return comparable
      ? new Streaming(tap, limits, { expected, onFailure })
      : new Holding(tap, limits, expected, sender);
  });
}

/** Whether what reads a body finds an end in it that may come before that of its bytes: inflated bytes, and a form with parts. */
function showsItsEnd({ headers }: IncomingMessage): boolean {
  return headers['content-encoding'] !== undefined || /^\s*multipart\//i.test(headers['content-type'] ?? '');
}

class TakenBody implements IncomingBody {
  readonly #tap: Tap;
  /** Undefined: the body is held. */
  readonly #makeTaker: MakeTaker | undefined;
  readonly #early = new Pages();
  #phase: 'early' | 'taken' | 'failed' | 'released' | 'discarded' = 'early';
  #taker: AcceptedBody | undefined;
  #keepsFailed = false;
  #isAccepted = false;

  constructor(request: IncomingMessage, makeTaker?: MakeTaker) {
    this.#makeTaker = makeTaker;
    this.#tap = new Tap(request, {
      chunk: (bytes) => {
        this.#early.append(bytes);
        return this.#early.length < earlyBytes;
      },
      end: () => {},
      cut: () => this.#early.clear(),
    });
  }

  get verdict(): Awaitable<BodyFailure | undefined> {
    return this.#taker?.verdict;
  }

  accept(limits: BodyLimits, expected: Digests, sender?: string): Awaitable<BodyFailure | undefined> {
    if (this.#phase !== 'early') throw new Error(`accept() on a body that is ${this.#phase}`);
    this.#phase = 'taken';
    this.#keepsFailed = limits.keepsFailed === true;
    const accepted = obstacle(this.#tap, limits.maxBytes) ?? this.#take(limits, expected, sender);
    return andThen(accepted, (failure) => {
      if (failure !== undefined && this.#phase === 'taken') this.#phase = 'failed';
      this.#isAccepted = failure === undefined;
      return failure;
    });
  }

  release(): void {
    if (this.#phase === 'released') return;
    this.#tap.keepForReader();
    // Not accepted: the body of a request that the guard does not guard.
    if (this.#phase === 'early') this.#passThrough();
    else if (this.#phase === 'taken') this.#taker?.release();
    else if (this.#phase === 'failed' && this.#keepsFailed) this.#releaseFailed();
    else throw new Error(`release() on a body that is ${this.#phase}`);
    this.#phase = 'released';
  }

  get isLost(): boolean {
    // Still being taken: something failed that is no matter of the body.
    if (this.#phase === 'taken') return !this.#isAccepted;
    return this.#phase === 'failed' && this.#taker?.isLost === true;
  }

  get isStreamed(): boolean {
    return this.#taker instanceof Streaming;
  }

  discard(): Awaitable<BodyFailure | undefined> {
    if (this.#phase !== 'discarded') {
      const released = this.#phase === 'released';
      this.#phase = 'discarded';
      this.#taker?.discard();
      this.#early.clear();
      if (!released) this.#dropRest();
    }
    return this.verdict;
  }

  #take(limits: BodyLimits, expected: Digests, sender: string | undefined): Awaitable<BodyFailure | undefined> {
    if (this.#tap.cameWhole) return digestFailure(expected, digestInPlace(this.#tap.request, expected));
    // If an asynchronous middleware ran before us, the first bytes are in the stream's own buffer.
    const first = takeBuffered(this.#tap.request);
    const isSmall = first.length === 0 && this.#early.length <= limits.memoryBytes;
    if (this.#makeTaker === undefined && this.#tap.ended && isSmall) {
      this.#taker = new WholeBody(this.#tap, this.#early, limits, expected);
      return this.#taker.begin();
    }
    const make = this.#makeTaker ?? hold;
    const taker = make(this.#tap, limits, expected, sender);
    this.#taker = taker;
    for (const chunk of [...first, ...this.#early.take()]) taker.chunk(chunk);
    this.#tap.divert(taker);
    return taker.begin();
  }

  #dropRest(): void {
    const { gone, stream } = this.#tap;
    // Node keeps a closed stream as long as it holds unread bytes.
    if (isClosedStream(stream)) cutOff(this.#tap);
    else if (!gone) this.#tap.divert(new Draining(this.#tap));
  }

  #releaseFailed(): void {
    if (this.#taker === undefined) this.#passThrough();
    else this.#taker.release();
  }

  #passThrough(): void {
    for (const page of this.#early.take()) this.#tap.deliver(page);
    if (this.#tap.ended) this.#tap.deliver(null);
    else this.#tap.open();
  }
}

function hold(tap: Tap, limits: BodyLimits, expected: Digests, sender: string | undefined): BodyTaker {
  return new Holding(tap, limits, expected, sender);
}

/** Digests a body that lies whole in the stream's own buffer, together with its end, and leaves it there. */
function digestInPlace(request: IncomingMessage, expected: Digests): Digests {
  const digester = new Digester(expected.keys());
  const chunks = takeBuffered(request);
  for (const chunk of chunks) digester.update(chunk);
  // Put back in the same tick, or the stream ends without them.
  for (const chunk of chunks.toReversed()) request.unshift(chunk);
  return digester.finish();
}
