import type { Awaitable } from '@countersign/common';
import type { DigestAlgorithm } from '@countersign/signature';

/** The digests of one body, by algorithm. */
export type Digests = ReadonlyMap<DigestAlgorithm, Uint8Array>;

/**
 * The body of a request under guard. Nobody sees a byte of it before `release`. A held body is released whole; a streamed
 * one is released while it comes, and only its end is kept back until every digest has matched.
 */
export interface RequestBody {
  /**
   * Makes the body ready for release. Call it once, after the signature over the header section has verified. Answers
   * why the body is refused; undefined if it may be released. A held body has then come whole, and every expected digest
   * has matched over the bytes on the wire (before inflating). `sender` is whose share of the room for bodies it takes;
   * default: all bodies without one have one share.
   */
  accept(limits: BodyLimits, expected: Digests, sender?: string): Awaitable<BodyFailure | undefined>;
  /** Hands the body to the next reader of the request, after `accept`. Without it, the body passes through unverified. */
  release(): void;
  /**
   * Drops what is kept, and drains a bounded rest so that the connection stays usable or is closed. Right at any time:
   * instead of `release`, and after the answer, when nobody reads on. Answers what was wrong with a body that was
   * released before its end had come.
   */
  discard(): Awaitable<BodyFailure | undefined>;
  /** Whether a part of the body was dropped, so that it cannot be released any more. Default false. */
  readonly isLost?: boolean;
  /** Whether its reader gets bytes before their digest is known to match. Default false. */
  readonly isStreamed?: boolean;
}

/** What one sender takes of a room. */
export interface Share {
  /** Returns whether there was room; then give it back. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/**
 * The memory, disk or files that all held bodies of a guard share. A sender may hold as much as is free besides: one alone
 * gets half, two get a third each, and there is always room for one more (docs/decisions/0056-shares-of-held-bodies.md).
 */
export class SharedRoom {
  readonly #bytes: number;
  #free: number;
  /** Bytes by sender; only senders that hold some. */
  readonly #held = new Map<string, number>();

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#free = bytes;
  }

  /** Bytes that are taken. */
  get taken(): number {
    return this.#bytes - this.#free;
  }

  shareOf(sender: string): Share {
    return { take: (bytes) => this.#take(sender, bytes), give: (bytes) => this.#give(sender, bytes) };
  }

  #take(sender: string, bytes: number): boolean {
    const held = (this.#held.get(sender) ?? 0) + bytes;
    const free = this.#free - bytes;
    if (held > free) return false;
    this.#held.set(sender, held);
    this.#free = free;
    return true;
  }

  #give(sender: string, bytes: number): void {
    const held = (this.#held.get(sender) ?? 0) - bytes;
    if (held > 0) this.#held.set(sender, held);
    else this.#held.delete(sender);
    this.#free += bytes;
  }
}

export interface BodyLimits {
  /** Most bytes of a body. More is `body_too_large`. */
  readonly maxBytes: number;
  /** Most bytes kept in memory; the rest of a held body goes to an unlinked file. */
  readonly memoryBytes: number;
  /** What all bodies may take together; without room a body goes to its file at once. */
  readonly heldMemory: SharedRoom;
  /** What their files may take together; without room a body is `spool_unavailable`. */
  readonly heldDisk: SharedRoom;
  /** How many files they may have together; without room a body is `spool_unavailable`. */
  readonly heldFiles: SharedRoom;
  /** Where that file is made. */
  readonly spoolDirectory: string;
  /**
   * Longest time from the call of `accept` to the last byte; of a streamed body, the longest silence of the sender.
   * Longer is `body_timeout`.
   */
  readonly timeoutSeconds: number;
  /** Keep a body that fails, so that it can be released nevertheless; it is held, never streamed. Default false. */
  readonly keepsFailed?: boolean;
}

export interface BodyFailure {
  readonly ok: false;
  readonly code:
    | 'body_too_large'
    | 'body_incomplete'
    | 'body_timeout'
    | 'body_consumed'
    | 'digest_mismatch'
    | 'spool_unavailable';
  readonly detail: string;
}

export function bodyFailure(code: BodyFailure['code'], detail: string): BodyFailure {
  return { ok: false, code, detail };
}
