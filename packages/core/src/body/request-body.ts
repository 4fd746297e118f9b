import type { DigestAlgorithm } from '@countersign/signature';

/** The body of a request under guard: nothing downstream sees a byte of it before `release`. */
export interface RequestBody {
  /**
   * Reads the body to its end, keeping every byte back, and digests it as it stood on the wire (before inflating).
   * Called at most once, after the signature over the header section verified.
   */
  hold(limits: BodyLimits, algorithms: readonly DigestAlgorithm[]): Promise<HeldBody>;
  /** Hands the held bytes to whoever reads the request next. Call it only once the digest has verified. */
  release(): void;
  /** Drops held bytes and drains a bounded rest, so that the connection stays usable or is closed. */
  discard(): void;
}

export interface BodyLimits {
  /** Most bytes kept. More is `body_too_large`. */
  readonly maxBytes: number;
  /** Longest time from the call of `hold` to the last byte. Longer is `body_timeout`. */
  readonly timeoutSeconds: number;
}

export type HeldBody =
  | { readonly ok: true; readonly length: number; readonly digests: ReadonlyMap<DigestAlgorithm, Uint8Array> }
  | {
      readonly ok: false;
      readonly code: 'body_too_large' | 'body_incomplete' | 'body_timeout' | 'body_consumed';
      readonly detail: string;
    };
