import type { Awaitable } from '@countersign/common';

/** The use of an approval. Times are unix seconds. */
export interface ApprovalUse {
  readonly issuer: string;
  readonly id: string;
  /** When the approval was given. */
  readonly issuedAt: number;
  /** How far ahead of ours the clock of `issuedAt` may be, in seconds. */
  readonly clockSkewSeconds: number;
  /**
   * How long to remember it: from this moment on, this guard refuses the approval as expired. A store that processes share
   * adds `clockSkewSeconds`, since a guard whose clock is behind accepts it for so long.
   */
  readonly until: number;
  /** The guard's clock at the call. Count `until - now` from your own clock, and the two need not agree. */
  readonly now: number;
}

/**
 * Remembers which approvals were used. One atomic step, never find-then-save: two processes or two concurrent requests
 * must not both win.
 */
export interface ApprovalUses {
  /**
   * Uses an approval up.
   *
   * - `first`: this call was the first. Answer so only if the store remembers everything back to `issuedAt`.
   * - `repeated`: it was used before.
   * - `before_epoch`: the store began, or lost what it held, after `issuedAt`, and cannot tell.
   * - `full`: no room left. A live use is never evicted to make some.
   *
   * A store that cannot be reached rejects. One that does not answer within `lookupTimeoutSeconds` counts as that.
   */
  use(approval: ApprovalUse): Awaitable<ApprovalUseResult>;
}

export type ApprovalUseResult = 'first' | 'repeated' | 'before_epoch' | 'full';
