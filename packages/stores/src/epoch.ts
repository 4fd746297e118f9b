import type { OneTimeProof } from '@countersign/core';

/** A reservation that has been made, and what is known about the store that made it. */
export interface Reservation {
  readonly proof: Pick<OneTimeProof, 'created' | 'now'>;
  /** For how long the store has remembered nonces, by its own clock. */
  readonly ageMilliseconds: number;
  /** From the call to the answer. */
  readonly elapsedMilliseconds: number;
  /** How far ahead of our clock a client's may be. */
  readonly clockSkewSeconds: number;
}

/**
 * Whether the proof may have been used before the store began, or lost what it held. The age of the store is counted
 * back from the answer, so that only differences between clocks matter; and a client whose clock is ahead can have signed
 * "after" the beginning what was used before it.
 */
export function isBeforeEpoch(reservation: Reservation): boolean {
  const { proof, ageMilliseconds, elapsedMilliseconds, clockSkewSeconds } = reservation;
  const epoch = proof.now + (elapsedMilliseconds - ageMilliseconds) / 1000;
  // Not `<=`: a result that is no number must refuse.
  return !(proof.created > epoch + clockSkewSeconds);
}

/** Milliseconds until a store of this age accepts what an accurate client signs now. */
export function settlingTime(ageMilliseconds: number, clockSkewSeconds: number): number {
  // `created` has no fractions: one second more.
  return Math.max(0, (clockSkewSeconds + 1) * 1000 - ageMilliseconds);
}
