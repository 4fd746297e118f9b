import { andThen, answerOr, type Awaitable, isPromise } from '@countersign/common';
import { failReader, failWhenRead } from './fail-reader.js';
import { whenClosed } from './http2-stream.js';
import { isBeingRead, whenRead } from './readers.js';
import { type BodyFailure, bodyFailure, type Share } from '../../model/request-body.js';
import type { Spool } from './spool.js';
import type { Tap } from './tap.js';

const noBytes: Buffer = Buffer.alloc(0);

/** Where the bytes of a body wait for their reader. */
export interface KeptSource {
  /**
   * Whether all bytes go to the reader as soon as there is one: Node closes an HTTP/2 stream with its answer, and a reader
   * that is still at work has only what is in the request's own buffer. That goes with the stream.
   */
  readonly atOnce: boolean;
  /** The next bytes; none if there are no more. Rejects if they cannot be read. */
  next(): Awaitable<Buffer>;
  /** Keeps no more in memory than it must, for a reader that may never come back. */
  relax(): void;
  /** Forgets all bytes. */
  close(): void;
}

/**
 * Delivers a kept body to the reader of the request, as far as the reader has room: one that stops leaves little in the
 * request's own buffer, which Node keeps until the next request on the connection has come.
 */
export class KeptReader {
  readonly #tap: Tap;
  readonly #source: KeptSource;
  #left: number;
  #begun = false;
  #delivering = false;
  #finished = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(tap: Tap, source: KeptSource, length: number) {
    this.#tap = tap;
    this.#source = source;
    this.#left = length;
    const { request } = tap;
    request._read = () => void this.#deliver();
    whenClosed(tap, () => this.#fail('the client went away'));
    // A reader that is waiting already will not call `_read` again. Before there is one, nothing is delivered.
    if (!this.#finished) whenRead(request, () => void this.#deliver());
  }

  /** Call it after the response: a handler that reads already may read on, and one that does not never will. */
  finishSoon(patienceSeconds: number): void {
    if (this.#finished) return;
    if (!isBeingRead(this.#tap.request)) {
      this.#fail(this.#begun ? 'nobody reads on' : 'nobody read the body before the answer');
      return;
    }
    this.#source.relax();
    this.#patience = setTimeout(() => this.#fail('nobody reads on'), patienceSeconds * 1000).unref();
  }

  async #deliver(): Promise<void> {
    if (this.#delivering || this.#finished) return;
    this.#delivering = true;
    this.#patience?.refresh();
    while (this.#delivering) {
      const next = this.#next();
      const bytes = isPromise(next) ? await next : next;
      if (this.#finished) return;
      // Outside of what is caught: listeners of the application run within.
      this.#delivering = this.#pass(bytes) || (this.#source.atOnce && !this.#finished);
    }
  }

  /** The next bytes; none if that failed. Never rejects. */
  #next(): Awaitable<Buffer> {
    return answerOr(
      () => andThen(this.#source.next(), (bytes) => this.#checked(bytes)),
      (error) => {
        this.#failWith(bodyFailure('spool_unavailable', String(error)));
        return noBytes;
      },
    );
  }

  #checked(bytes: Buffer): Buffer {
    if (bytes.length === 0 && this.#left > 0) throw new Error('the file is shorter than the body was');
    return bytes;
  }

  /** Says whether the reader has room for more. */
  #pass(bytes: Buffer): boolean {
    this.#left -= bytes.length;
    this.#begun = true;
    if (this.#left > 0) return this.#tap.deliver(bytes);
    this.#finish();
    if (bytes.length > 0) this.#tap.deliver(bytes);
    this.#tap.deliver(null);
    return false;
  }

  #fail(detail: string): void {
    this.#failWith(bodyFailure('body_incomplete', detail));
  }

  #failWith(failure: BodyFailure): void {
    if (this.#finished) return;
    this.#finish();
    // A reader that has begun and pauses is told at once.
    const fail = this.#begun ? failReader : failWhenRead;
    fail(this.#tap.request, failure);
  }

  #finish(): void {
    this.#finished = true;
    clearTimeout(this.#patience);
    this.#source.close();
  }
}

/** Each read crosses the thread pool: blocks of 64 KiB took three times as long. */
const blockBytes = 512 * 1024;
/** A reader that stops must not retain the whole block by a part of it. */
const pieceBytes = 64 * 1024;

interface Block {
  readonly pieces: Buffer[];
  /** Bytes of the sender's share of the memory. */
  readonly taken: number;
}

/** Reads a spool in large blocks, and one ahead, as long as there is memory for them. */
export class SpoolBlocks implements KeptSource {
  readonly atOnce = false;
  readonly #spool: Spool;
  readonly #memory: Share;
  readonly #length: number;
  #position = 0;
  #block: Block = { pieces: [], taken: 0 };
  /** The next block, read while the request's reader handles the current one. */
  #ahead: Promise<Block> | undefined;
  #closed = false;

  constructor(spool: Spool, memory: Share, length: number) {
    this.#spool = spool;
    this.#memory = memory;
    this.#length = length;
  }

  async next(): Promise<Buffer> {
    if (this.#block.pieces.length === 0) await this.#turn();
    const [piece = noBytes] = this.#block.pieces.splice(0, 1);
    this.#position += piece.length;
    if (this.#block.pieces.length === 0) this.#dropBlock();
    return piece;
  }

  relax(): void {
    this.#dropBlock();
    // What fails has given its memory back.
    this.#ahead?.then(({ taken }) => this.#memory.give(taken)).catch(() => {});
    this.#ahead = undefined;
  }

  close(): void {
    this.#closed = true;
    this.relax();
    this.#spool.close();
  }

  async #turn(): Promise<void> {
    const reading = this.#ahead ?? this.#load(this.#position);
    this.#ahead = undefined;
    const block = await reading;
    this.#block = block;
    if (this.#closed) this.#dropBlock();
    const end = this.#position + block.pieces.reduce((sum, { length }) => sum + length, 0);
    if (block.taken === 0 || end >= this.#length || this.#closed) return;
    this.#ahead = this.#load(end);
    // A failure is handled where the block is awaited, which may never happen.
    this.#ahead.catch(() => {});
  }

  async #load(position: number): Promise<Block> {
    const wanted = Math.min(blockBytes, this.#length - position);
    const taken = this.#memory.take(wanted) ? wanted : 0;
    try {
      return { pieces: await this.#read(position, taken === 0 ? Math.min(pieceBytes, wanted) : wanted), taken };
    } catch (error) {
      this.#memory.give(taken);
      throw error;
    }
  }

  async #read(position: number, length: number): Promise<Buffer[]> {
    // Not from the shared pool, and never reused: the reader may retain them.
    const pieces = Array.from({ length: Math.ceil(length / pieceBytes) }, (_, index) =>
      Buffer.allocUnsafeSlow(Math.min(pieceBytes, length - index * pieceBytes)),
    );
    const bytesRead = await this.#spool.read(position, pieces);
    return pieces
      .map((piece, index) => piece.subarray(0, Math.max(0, bytesRead - index * pieceBytes)))
      .filter(({ length: filled }) => filled > 0);
  }

  #dropBlock(): void {
    this.#memory.give(this.#block.taken);
    this.#block = { pieces: [], taken: 0 };
  }
}
