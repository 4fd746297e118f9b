import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Awaitable } from '@countersign/common';
import { bodyFailure, type BodyFailure } from '../../model/request-body.js';
import { failWhenRead } from './fail-reader.js';
import { isBeingRead } from './readers.js';
import { cutOff, destroyOnceClosed, http2StreamOf, isClosedStream, restoreSocket } from './http2-stream.js';

/** Receives the chunks of a body. */
export interface ChunkSink {
  /** False asks the host to stop reading from the connection, until `Tap.pull`. */
  chunk(bytes: Buffer): boolean;
  /** The whole body has arrived. */
  end(): void;
  /** The client closed the connection before the end. */
  cut(): void;
}

/** A body whose signature has verified. */
export interface AcceptedBody {
  /** Undefined once the body may be released, or the failure. The tap delivers to a taker by then. */
  begin(): Awaitable<BodyFailure | undefined>;
  /** The failure of a body that was streamed, when it has ended or will not end any more. */
  readonly verdict: Awaitable<BodyFailure | undefined>;
  /** Whether bytes were dropped that the reader would need. Default false. */
  readonly isLost?: boolean;
  release(): void;
  discard(): void;
}

/** Takes a body while it comes, and holds or streams it. */
export interface BodyTaker extends ChunkSink, AcceptedBody {}

const pullBytes = 64 * 1024;

/** What Node calls after the answer unless it was asked for bytes itself, which it never is of a body that came whole. */
type Dumpable = IncomingMessage & { _dump?: () => void };

/**
 * Intercepts the body of a request before its readers. Node calls `request.push` for every chunk, over HTTP/2 as over
 * HTTP/1, with the bytes from the wire: after de-chunking and before inflating.
 */
export class Tap {
  readonly request: IncomingMessage;
  /** Of HTTP/2. Looked for once: V8 does not remember what a request of Express lacks. */
  readonly stream: ServerHttp2Stream | undefined;
  /** Whether the whole body arrived before the tap: then its bytes and its end are in the stream's own buffer. */
  readonly cameWhole: boolean;
  readonly #push: (chunk: unknown, encoding?: BufferEncoding) => boolean;
  readonly #read: (size: number) => void;
  #sink: ChunkSink;
  #arrival: 'coming' | 'whole' | 'cut';
  #open = false;

  constructor(request: IncomingMessage, sink: ChunkSink) {
    this.request = request;
    this.stream = http2StreamOf(request);
    if (this.stream !== undefined) destroyOnceClosed(this.stream);
    this.#sink = sink;
    this.cameWhole = cameWhole(request, this.stream);
    this.#arrival = this.cameWhole ? 'whole' : wentAway(request, this.stream) ? 'cut' : 'coming';
    // oxlint-disable-next-line typescript/unbound-method -- called with their request below
    const { push, _read: read } = request;
    this.#push = (chunk, encoding) => push.call(request, chunk, encoding);
    this.#read = (size) => read.call(request, size);
    // Never restored: another wrapper may have been installed around this one.
    request.push = (chunk: unknown, encoding?: BufferEncoding) =>
      this.#open ? this.#push(chunk, encoding) : this.#receive(asBuffer(chunk, encoding));
    // Node reads such a request itself, once its stream has closed.
    if (this.gone) this.#askNoMore();
    request.on('close', () => {
      restoreSocket(request);
      // A request destroyed only for its reader leaves the connection open.
      if (!isOpen(request.socket)) this.#cut();
    });
  }

  get ended(): boolean {
    return this.#arrival === 'whole';
  }

  get gone(): boolean {
    return this.#arrival === 'cut';
  }

  /** Keeps Node from dropping a body that is being read, once the answer is out. */
  keepForReader(): void {
    const request: Dumpable = this.request;
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    if (this.stream !== undefined || (length === undefined && coding === undefined)) return;
    const { _dump: dump } = request;
    request._dump = () => void (isBeingRead(request) || dump?.call(request));
  }

  /** Sends further chunks to another sink, and repeats an end or a cut that has already happened. */
  divert(sink: ChunkSink): void {
    this.#sink = sink;
    if (this.#arrival === 'whole') sink.end();
    if (this.#arrival === 'cut') sink.cut();
  }

  /** Passes further chunks to the reader of the request, or fails it if nothing will come any more. */
  open(): void {
    if (this.gone) failWhenRead(this.request, bodyFailure('body_incomplete', 'the client went away'));
    else this.#open = true;
  }

  /** Pushes a chunk to the reader, or its end with null. Returns false when the reader's buffer is full. */
  deliver(chunk: Buffer | null): boolean {
    return this.#push(chunk);
  }

  /** Resumes reading: the connection may be paused, and some hosts deliver only on request. */
  pull(): void {
    if (this.#arrival !== 'coming') return;
    restoreSocket(this.request);
    this.#read(pullBytes);
  }

  /** Stops the client from sending more. */
  cutOff(): void {
    this.#cut();
    cutOff(this);
  }

  #receive(chunk: Buffer | null): boolean {
    // Some hosts repeat the end when they are read again.
    if (this.#arrival !== 'coming') return false;
    if (chunk !== null) return this.#sink.chunk(chunk);
    // Once the answer is out, Node no longer says `aborted` of a stream that its client left.
    if (this.stream?.aborted === true || (this.stream?.rstCode ?? 0) > 0) this.#cut();
    else this.#end();
    return false;
  }

  #end(): void {
    this.#arrival = 'whole';
    this.#askNoMore();
    this.#sink.end();
  }

  #cut(): void {
    if (this.#arrival !== 'coming') return;
    this.#arrival = 'cut';
    this.#askNoMore();
    this.#sink.cut();
  }

  /** Reading from a closed HTTP/2 stream fails an assertion in Node, which ends the process. */
  #askNoMore(): void {
    if (this.stream !== undefined) this.request._read = () => {};
  }
}

function cameWhole(request: IncomingMessage, stream: ServerHttp2Stream | undefined): boolean {
  // Before the first read, HTTP/2 delivers only an end without a byte. It ends so when its client disconnects, too.
  if (stream !== undefined) return stream.readableEnded && !isClosedStream(stream);
  return request.complete || wasEmptied(request);
}

/**
 * Whether Node ended and destroyed a request without a body before its handler, by the option `optimizeEmptyRequests` of
 * its server. Such a request has no field that announces a body (RFC 9112 §6.3), and its connection is open.
 */
export function wasEmptied(request: IncomingMessage): boolean {
  const { headers, socket, destroyed, readableEnded } = request;
  if (!destroyed || !readableEnded || !isOpen(socket) || http2StreamOf(request) !== undefined) return false;
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}

function wentAway(request: IncomingMessage, stream: ServerHttp2Stream | undefined): boolean {
  return stream === undefined ? request.destroyed : isClosedStream(stream);
}

/** Some hosts have no real socket below a request. */
function isOpen(socket: { readonly destroyed?: boolean } | undefined): boolean {
  return socket?.destroyed === false;
}

function asBuffer(chunk: unknown, encoding?: BufferEncoding): Buffer | null {
  if (chunk === null || Buffer.isBuffer(chunk)) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding);
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError('a request body comes in bytes');
}
