import { type Refusal, refusal } from '../refusal.js';
import type { ReplayStore } from './store.js';
import { textOf } from '../text-of.js';

/** Long enough that two honest requests never collide, short enough to store. */
const nonceLength = { least: 8, most: 256 };

export interface UsedSignature {
  readonly keyId: string;
  readonly nonce: string;
  /** Unix seconds: the moment from which no copy of this request could be accepted any more. */
  readonly until: number;
}

/**
 * Uses a signature up, once, after it and the body have verified: an invalid request must not burn the nonce of an
 * honest one. Whatever keeps the store from answering refuses the request.
 */
export async function reserveNonce(store: ReplayStore, used: UsedSignature, now: number): Promise<Refusal | undefined> {
  const { keyId, nonce, until } = used;
  try {
    const result = await store.reserve(keyId, nonce, until, now);
    if (result === 'reserved') return undefined;
    return result === 'replayed'
      ? refusal('signature_replayed')
      : refusal('replay_store_unavailable', 'the store is full');
  } catch (error) {
    return refusal('replay_store_unavailable', textOf(error));
  }
}

/** Checked before anything is stored. */
export function nonceProblem(nonce: string): Refusal | undefined {
  if (nonce.length >= nonceLength.least && nonce.length <= nonceLength.most) return undefined;
  return refusal('signature_incomplete', `nonce must have ${nonceLength.least} to ${nonceLength.most} characters`);
}
