import type { IncomingMessage } from 'node:http';
import type { BodyFailure } from '../../model/request-body.js';
import { cutOff, http2StreamOf, isClosedStream } from './http2-stream.js';

/** Where the chunks of a body go. */
export interface ChunkSink {
  /** False asks the host to stop reading from the connection, until `Tap.pull`. */
  chunk(bytes: Buffer): boolean;
  /** The body is whole. */
  end(): void;
  /** The client went away before the end. */
  cut(): void;
}

/** Takes a body whose signature has verified: it is held, or it flows. */
export interface BodyTaker extends ChunkSink {
  /** Called once the tap delivers to it. Resolves to undefined once the body may be released, or to why not. */
  begin(): Promise<BodyFailure | undefined>;
  /** Resolves when the body has ended, or will not end any more: to what was wrong with a body that flowed. */
  readonly verdict: Promise<BodyFailure | undefined>;
  release(): void;
  discard(): void;
}

const pullBytes = 64 * 1024;

/**
 * Takes the body of a request away from whoever reads the request. Node delivers every chunk through `request.push`,
 * looked up for each chunk, HTTP/2 as well as HTTP/1: bytes as they stood on the wire, after de-chunking and before
 * inflating.
 */
export class Tap {
  readonly request: IncomingMessage;
  /** Whether the stream had its whole body before us: then the bytes lie in the stream's own buffer, and its end too. */
  readonly cameWhole: boolean;
  readonly #push: (chunk: unknown, encoding?: BufferEncoding) => boolean;
  readonly #read: (size: number) => void;
  #sink: ChunkSink;
  #arrival: 'coming' | 'whole' | 'cut';
  #open = false;

  constructor(request: IncomingMessage, sink: ChunkSink) {
    this.request = request;
    this.#sink = sink;
    this.cameWhole = cameWhole(request);
    this.#arrival = this.cameWhole ? 'whole' : wentAway(request) ? 'cut' : 'coming';
    // oxlint-disable-next-line typescript/unbound-method -- called with their request below
    const { push, _read: read } = request;
    this.#push = (chunk, encoding) => push.call(request, chunk, encoding);
    this.#read = (size) => read.call(request, size);
    // Never taken out again: another wrapper may have been put around ours meanwhile.
    request.push = (chunk: unknown, encoding?: BufferEncoding) =>
      this.#open ? this.#push(chunk, encoding) : this.#receive(asBuffer(chunk, encoding));
    request.once('close', () => {
      // One that was destroyed for its reader alone has left its connection open.
      if (!isOpen(request.socket)) this.#cut();
    });
  }

  get ended(): boolean {
    return this.#arrival === 'whole';
  }

  get gone(): boolean {
    return this.#arrival === 'cut';
  }

  /** From now on chunks go to another sink. What has happened already is said again. */
  divert(sink: ChunkSink): void {
    this.#sink = sink;
    if (this.#arrival === 'whole') sink.end();
    if (this.#arrival === 'cut') sink.cut();
  }

  /** Gives the body back: chunks go to the reader of the request. */
  open(): void {
    this.#open = true;
  }

  /** Gives the reader a chunk, or with null the end. False: the reader has enough for now. */
  deliver(chunk: Buffer | null): boolean {
    return this.#push(chunk);
  }

  /** Asks for more: the client may have been made to wait, and some hosts deliver only when asked. */
  pull(): void {
    if (this.#arrival === 'coming') this.#read(pullBytes);
  }

  /** Ends what the client is still sending. */
  cutOff(): void {
    this.#cut();
    cutOff(this.request);
  }

  #receive(chunk: Buffer | null): boolean {
    // Some hosts repeat the end when they are asked again.
    if (this.#arrival !== 'coming') return false;
    if (chunk !== null) return this.#sink.chunk(chunk);
    if (http2StreamOf(this.request)?.aborted === true) this.#cut();
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

  /** HTTP/2 fails an assertion, which ends the process, when a stream that has closed is asked for more. */
  #askNoMore(): void {
    this.request._read = () => {};
  }
}

function cameWhole(request: IncomingMessage): boolean {
  // HTTP/2 delivers nothing before it is asked, and both completes and ends a request whose client went away.
  return isHttp1(request) ? request.complete : request.readableEnded && !isClosedStream(request);
}

function wentAway(request: IncomingMessage): boolean {
  return isHttp1(request) ? request.destroyed : isClosedStream(request);
}

function isHttp1(request: IncomingMessage): boolean {
  return http2StreamOf(request) === undefined;
}

/** Not every host has a real socket below its requests. */
function isOpen(socket: { readonly destroyed?: boolean } | undefined): boolean {
  return socket?.destroyed === false;
}

function asBuffer(chunk: unknown, encoding?: BufferEncoding): Buffer | null {
  if (chunk === null || Buffer.isBuffer(chunk)) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding);
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError('a request body comes in bytes');
}
