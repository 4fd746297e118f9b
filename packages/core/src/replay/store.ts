/**
 * Remembers which signatures were used. One atomic step, never find-then-save: two processes or two concurrent
 * requests must not both win.
 */
export interface ReplayStore {
  /**
   * Reserves (keyId, nonce) until the given moment (unix seconds).
   * `full`: no room left; a live nonce is never evicted to make some. An unreachable store rejects.
   */
  reserve(keyId: string, nonce: string, until: number, now: number): ReplayResult | Promise<ReplayResult>;
}

export type ReplayResult = 'reserved' | 'replayed' | 'full';
