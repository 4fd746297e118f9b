import type { IncomingMessage } from 'node:http';
import type { DigestAlgorithm } from '@countersign/signature';
import { Digester } from './digester.js';
import { Pages } from './pages.js';
import type { BodyLimits, HeldBody, RequestBody } from './request-body.js';

/** Kept before the signature has verified: a stranger cannot make us keep more, he has to wait. */
const earlyBytes = 64 * 1024;
/** Read and dropped after a refusal, so that the connection can be used again. */
const drainBytes = 1024 * 1024;
const drainMilliseconds = 2000;
const longestTimer = 2 ** 31 - 1;

type Phase = 'early' | 'holding' | 'held' | 'failed' | 'released' | 'discarded';
type Failure = Extract<HeldBody, { ok: false }>;

/**
 * Holds the body of a node:http request back. Call it at once when the request comes in, before anything is awaited:
 * Node delivers every chunk through `request.push`, looked up for each chunk, so from now on the bytes come to us, as
 * they stood on the wire (after de-chunking, before inflating), whoever reads the request later.
 */
export function holdIncoming(request: IncomingMessage): RequestBody {
  return new HeldIncoming(request);
}

class HeldIncoming implements RequestBody {
  readonly #request: IncomingMessage;
  readonly #deliver: (chunk: Buffer | null) => boolean;
  readonly #wasRead: boolean;
  /** Whether the stream had its whole body before us: then the bytes lie in the stream's own buffer, and stay there. */
  readonly #cameWhole: boolean;
  readonly #pages = new Pages();
  #phase: Phase = 'early';
  #ended: boolean;
  #length = 0;
  #maxBytes = 0;
  #digester = new Digester([]);
  #settle: (result: HeldBody) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;

  constructor(request: IncomingMessage) {
    this.#request = request;
    this.#wasRead = wasRead(request);
    this.#cameWhole = request.complete;
    this.#ended = request.complete;
    // oxlint-disable-next-line typescript/unbound-method -- called with its request below
    const push = request.push;
    this.#deliver = (chunk) => push.call(request, chunk);
    // Never taken out again: another wrapper may have been put around ours meanwhile.
    request.push = (chunk: unknown, encoding?: BufferEncoding) =>
      this.#phase === 'released' ? push.call(request, chunk, encoding) : this.#receive(asBuffer(chunk, encoding));
    request.once('close', () => this.#connectionClosed());
  }

  async hold(limits: BodyLimits, algorithms: readonly DigestAlgorithm[]): Promise<HeldBody> {
    if (this.#phase !== 'early') throw new Error(`hold() on a body that is ${this.#phase}`);
    return await new Promise((resolve) => {
      this.#phase = 'holding';
      this.#settle = resolve;
      const failure = this.#failureKnownNow(limits);
      if (failure === undefined) this.#readToEnd(limits, algorithms);
      else this.#fail(failure);
    });
  }

  release(): void {
    if (this.#phase === 'released') return;
    // Released without `hold` the body passes through unverified: for a request that the guard does not guard.
    if (this.#phase !== 'early' && this.#phase !== 'held')
      throw new Error(`release() on a body that is ${this.#phase}`);
    this.#phase = 'released';
    for (const page of this.#pages.take()) this.#deliver(page);
    if (this.#ended) this.#deliver(null);
  }

  discard(): void {
    if (this.#phase === 'released' || this.#phase === 'discarded') return;
    if (this.#phase === 'holding') this.#fail(failure('body_incomplete', 'discarded before its end'));
    this.#phase = 'discarded';
    this.#pages.clear();
    if (this.#request.destroyed) return;
    if (this.#ended) {
      this.#endDrain();
      return;
    }
    // An undrained rest would stall the next request on this connection: past the bounds the connection goes.
    this.#timer = setTimeout(() => this.#request.destroy(), drainMilliseconds).unref();
    this.#request.resume();
  }

  /** Takes one chunk from the parser; null is the end. False asks the parser to stop reading from the socket. */
  #receive(chunk: Buffer | null): boolean {
    if (this.#ended) return false;
    if (chunk === null) return this.#receiveEnd();
    switch (this.#phase) {
      case 'early':
        this.#pages.append(chunk);
        return this.#pages.length < earlyBytes;
      case 'holding':
        return this.#keep(chunk);
      case 'discarded':
        this.#dropped += chunk.length;
        return this.#dropped <= drainBytes;
      default:
        return false;
    }
  }

  #receiveEnd(): false {
    this.#ended = true;
    if (this.#phase === 'holding') this.#succeed();
    if (this.#phase === 'discarded') this.#endDrain();
    return false;
  }

  #failureKnownNow({ maxBytes }: BodyLimits): Failure | undefined {
    const request = this.#request;
    if (this.#wasRead) return failure('body_consumed', 'a parser read the body first: put the guard before it');
    if (request.destroyed && !this.#ended) return failure('body_incomplete', 'the client went away');
    if (!announcesBody(request)) return undefined;
    if (!request.readableEnded && isBeingRead(request)) {
      return failure('body_consumed', 'something listens to the body already: put the guard before it');
    }
    const length = Math.max(contentLength(request), request.readableLength);
    return length > maxBytes ? failure('body_too_large', `${length} bytes, at most ${maxBytes} are kept`) : undefined;
  }

  #readToEnd(limits: BodyLimits, algorithms: readonly DigestAlgorithm[]): void {
    this.#maxBytes = limits.maxBytes;
    this.#digester = new Digester(algorithms);
    this.#timer = setTimeout(
      () => this.#fail(failure('body_timeout', `${this.#length} bytes came in ${limits.timeoutSeconds} s`)),
      Math.min(limits.timeoutSeconds * 1000, longestTimer),
    ).unref();
    this.#keepEarlyBytes();
    if (this.#phase !== 'holding') return;
    if (this.#ended) this.#succeed();
    // The client may have been made to wait, and some hosts deliver only when asked.
    else this.#request._read(earlyBytes);
  }

  /** If an asynchronous middleware ran before us, the first bytes lie in the stream's own buffer. */
  #keepEarlyBytes(): void {
    const later = this.#pages.take();
    const buffered = readBuffered(this.#request);
    if (this.#cameWhole) {
      for (const chunk of buffered) this.#digest(chunk);
      // Put back in the same tick, or the stream ends without them.
      for (const chunk of buffered.toReversed()) this.#request.unshift(chunk);
      return;
    }
    for (const chunk of [...buffered, ...later]) if (!this.#keep(chunk)) return;
  }

  #keep(chunk: Buffer): boolean {
    if (this.#length + chunk.length > this.#maxBytes) {
      this.#fail(failure('body_too_large', `more than ${this.#maxBytes} bytes`));
      return false;
    }
    this.#digest(chunk);
    this.#pages.append(chunk);
    return true;
  }

  #digest(chunk: Buffer): void {
    this.#length += chunk.length;
    this.#digester.update(chunk);
  }

  #succeed(): void {
    clearTimeout(this.#timer);
    this.#phase = 'held';
    this.#settle({ ok: true, length: this.#length, digests: this.#digester.finish() });
  }

  #fail(result: Failure): void {
    clearTimeout(this.#timer);
    this.#phase = 'failed';
    this.#pages.clear();
    this.#settle(result);
  }

  #endDrain(): void {
    clearTimeout(this.#timer);
    this.#deliver(null);
    this.#request.resume();
  }

  #connectionClosed(): void {
    if (this.#phase === 'discarded') clearTimeout(this.#timer);
    if (this.#ended) return;
    if (this.#phase === 'holding')
      this.#fail(failure('body_incomplete', `the client went away after ${this.#length} bytes`));
    if (this.#phase === 'early') this.#pages.clear();
  }
}

function failure(code: Failure['code'], detail: string): Failure {
  return { ok: false, code, detail };
}

/** RFC 9112 §6.3: without either field a request has no body. */
function announcesBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || contentLength(request) > 0;
}

/** Node's parser has refused everything but digits, and two fields that differ. */
function contentLength({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? 0);
}

function wasRead(request: IncomingMessage): boolean {
  return request.readableDidRead || (request.readableEnded && contentLength(request) > 0);
}

/** Whoever listens already would take the bytes when they are released, and leave none for the parser behind us. */
function isBeingRead(request: IncomingMessage): boolean {
  return (
    request.readableFlowing === true ||
    request.listenerCount('data') > 0 ||
    request.listenerCount('readable') > 0 ||
    (request.readableEncoding !== null && request.readableLength > 0)
  );
}

function readBuffered(request: IncomingMessage): Buffer[] {
  const chunks: Buffer[] = [];
  if (request.readableLength === 0) return chunks;
  for (let chunk: unknown = request.read(); chunk !== null; chunk = request.read()) {
    if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  }
  return chunks;
}

function asBuffer(chunk: unknown, encoding?: BufferEncoding): Buffer | null {
  if (chunk === null || Buffer.isBuffer(chunk)) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding);
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError('a request body comes in bytes');
}
