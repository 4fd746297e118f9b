import type { DigestAlgorithm } from '@countersign/signature';

/**
 * The body of a request under guard. It is either held whole before anybody sees a byte of it (`hold`), or handed on
 * while it comes, with only its end kept back (`stream`). Either may be called, once, after the signature over the
 * header section verified.
 */
export interface RequestBody {
  /** Reads the body to its end, keeping every byte back, and digests it as it stood on the wire (before inflating). */
  hold(limits: BodyLimits, algorithms: readonly DigestAlgorithm[]): Promise<HeldBody>;
  /**
   * Gets ready to hand the bytes on while they come; they flow from `release` on. The end is kept back until every
   * digest has matched; if one does not, the reader gets an error instead of the end. Absent where a body can only be
   * held.
   */
  stream?(limits: BodyLimits, expected: ReadonlyMap<DigestAlgorithm, Uint8Array>): StreamedBody;
  /** Hands the body to whoever reads the request next. Of a held body, call it only once the digest has verified. */
  release(): void;
  /**
   * Drops what is kept, and drains a bounded rest so that the connection stays usable or is closed. Right at any time:
   * instead of `release`, and after the answer, when nobody will read any more.
   */
  discard(): void;
}

export interface BodyLimits {
  /** Most bytes of a body. More is `body_too_large`. */
  readonly maxBytes: number;
  /** Most bytes kept in memory; the rest of a held body goes to an unlinked file. */
  readonly memoryBytes: number;
  /** Where that file is made. */
  readonly spoolDirectory: string;
  /**
   * Longest time from the call of `hold` to the last byte; of a streamed body, the longest silence of the sender.
   * Longer is `body_timeout`.
   */
  readonly timeoutSeconds: number;
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

export type HeldBody =
  | { readonly ok: true; readonly length: number; readonly digests: ReadonlyMap<DigestAlgorithm, Uint8Array> }
  | BodyFailure;

/** Resolves when a streamed body has ended, or will not end any more: to undefined only if it was what was signed. */
export type BodyVerdict = Promise<StreamFailure | undefined>;

export type StreamedBody = { readonly ok: true; readonly verdict: BodyVerdict } | BodyFailure;

export interface StreamFailure extends BodyFailure {
  /** Set when nothing listens for the error of the request: then no handler will answer. */
  readonly unheard?: true;
}

export function bodyFailure(code: BodyFailure['code'], detail: string): BodyFailure {
  return { ok: false, code, detail };
}
