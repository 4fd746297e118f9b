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
   * has matched over the bytes on the wire (before inflating).
   */
  accept(limits: BodyLimits, expected: Digests): Awaitable<BodyFailure | undefined>;
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

/** The memory that all held bodies of a guard share: senders that wait must not fill it together. */
export class HeldMemory {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Whether there was room; then give it back. */
  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }
}

export interface BodyLimits {
  /** Most bytes of a body. More is `body_too_large`. */
  readonly maxBytes: number;
  /** Most bytes kept in memory; the rest of a held body goes to an unlinked file. */
  readonly memoryBytes: number;
  /** What all bodies may take together; without room a body goes to its file at once. */
  readonly heldMemory: HeldMemory;
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
