import type { IncomingMessage } from 'node:http';
import type { DigestAlgorithm } from '@countersign/signature';
import { Digester, type Digests, mismatch } from './digester.js';
import { Draining } from './draining.js';
import { cutOff, isClosedStream } from './http2-stream.js';
import { Holding } from './holding.js';
import { earlyBytes, Pages } from './pages.js';
import { obstacle, takeBuffered } from './readers.js';
import {
  type BodyFailure,
  type BodyLimits,
  bodyFailure,
  type HeldBody,
  type RequestBody,
  type StreamedBody,
} from './request-body.js';
import { Streaming } from './streaming.js';
import { Tap } from './tap.js';

/**
 * Takes the body of a node:http request, or of one of http2's compatibility API, away from whoever reads it. Call it at
 * once when the request comes in, before anything is awaited.
 */
export function holdIncoming(request: IncomingMessage): RequestBody {
  return new HeldIncoming(request);
}

class HeldIncoming implements RequestBody {
  readonly #tap: Tap;
  readonly #early = new Pages();
  #phase: 'early' | 'taken' | 'failed' | 'released' | 'discarded' = 'early';
  #taker: Holding | Streaming | undefined;

  constructor(request: IncomingMessage) {
    this.#tap = new Tap(request, {
      chunk: (bytes) => {
        this.#early.append(bytes);
        return this.#early.length < earlyBytes;
      },
      end: () => {},
      cut: () => this.#early.clear(),
    });
  }

  async hold(limits: BodyLimits, algorithms: readonly DigestAlgorithm[]): Promise<HeldBody> {
    const known = this.#take('hold', limits);
    if (known !== undefined) return known;
    if (this.#tap.cameWhole) return { ok: true, ...digestInPlace(this.#tap.request, algorithms) };
    const holding = new Holding(this.#tap, limits, algorithms);
    this.#handOver(holding);
    const held = await holding.result;
    return held.ok ? held : this.#failed(held);
  }

  stream(limits: BodyLimits, expected: Digests): StreamedBody {
    const known = this.#take('stream', limits);
    if (known !== undefined) return known;
    if (this.#tap.cameWhole) {
      const { digests } = digestInPlace(this.#tap.request, expected.keys());
      const wrong = mismatch(expected, digests);
      if (wrong !== undefined) return this.#failed(bodyFailure('digest_mismatch', wrong));
      return { ok: true, verdict: Promise.resolve(undefined) };
    }
    const streaming = new Streaming(this.#tap, limits, expected);
    this.#handOver(streaming);
    return streaming.failure === undefined ? { ok: true, verdict: streaming.verdict } : this.#failed(streaming.failure);
  }

  release(): void {
    if (this.#phase === 'released') return;
    // Released without being taken the body passes through unverified: for a request that the guard does not guard.
    if (this.#phase === 'early') this.#passThrough();
    else if (this.#phase === 'taken') this.#taker?.release();
    else throw new Error(`release() on a body that is ${this.#phase}`);
    this.#phase = 'released';
  }

  discard(): void {
    if (this.#phase === 'discarded') return;
    const released = this.#phase === 'released';
    this.#phase = 'discarded';
    this.#taker?.discard();
    this.#early.clear();
    if (released) return;
    const { gone, request } = this.#tap;
    // Node keeps a closed stream as long as it holds unread bytes.
    if (isClosedStream(request)) cutOff(request);
    else if (!gone) this.#tap.divert(new Draining(this.#tap));
  }

  #take(how: string, limits: BodyLimits): BodyFailure | undefined {
    if (this.#phase !== 'early') throw new Error(`${how}() on a body that is ${this.#phase}`);
    this.#phase = 'taken';
    const known = obstacle(this.#tap, limits.maxBytes);
    return known && this.#failed(known);
  }

  /** If an asynchronous middleware ran before us, the first bytes lie in the stream's own buffer. */
  #handOver(taker: Holding | Streaming): void {
    this.#taker = taker;
    const first = takeBuffered(this.#tap.request);
    for (const chunk of [...first, ...this.#early.take()]) taker.chunk(chunk);
    this.#tap.divert(taker);
    // The client may have been made to wait, and some hosts deliver only when asked.
    if (taker instanceof Holding) this.#tap.pull();
  }

  #failed(failure: BodyFailure): BodyFailure {
    if (this.#phase === 'taken') this.#phase = 'failed';
    return failure;
  }

  #passThrough(): void {
    for (const page of this.#early.take()) this.#tap.deliver(page);
    if (this.#tap.ended) this.#tap.deliver(null);
    else this.#tap.open();
  }
}

/** Digests a body that lies whole in the stream's own buffer, together with its end, and leaves it there. */
function digestInPlace(
  request: IncomingMessage,
  algorithms: Iterable<DigestAlgorithm>,
): { readonly length: number; readonly digests: Digests } {
  const digester = new Digester(algorithms);
  const chunks = takeBuffered(request);
  for (const chunk of chunks) digester.update(chunk);
  // Put back in the same tick, or the stream ends without them.
  for (const chunk of chunks.toReversed()) request.unshift(chunk);
  return { length: chunks.reduce((sum, chunk) => sum + chunk.length, 0), digests: digester.finish() };
}
