import { type Refusal, type RefusalCode, refusal } from '../refusal.js';
import type { ReplayStore } from './store.js';
import { textOf } from '../text-of.js';

/** Long enough that two honest requests never collide, short enough to store. */
const nonceLength = { least: 8, most: 256 };

/** What makes a proof of possession the only one of its kind. */
export interface UsedProof {
  readonly keyId: string;
  readonly nonce: string;
  /** Unix seconds: from this moment on the proof is refused as too old. */
  readonly validUntil: number;
  /** How a copy is refused. */
  readonly replayed: RefusalCode;
}

/**
 * Uses a proof up, once, after it and the body have verified: an invalid request must not burn the nonce of an honest
 * one. Whatever keeps the store from answering refuses the request. A copy of the request may start as late as
 * `validUntil` and take the whole time allowed for its body.
 */
export async function reserveNonce(
  store: ReplayStore,
  { keyId, nonce, validUntil, replayed }: UsedProof,
  { now, bodyTimeoutSeconds }: { readonly now: number; readonly bodyTimeoutSeconds: number },
): Promise<Refusal | undefined> {
  const until = validUntil + bodyTimeoutSeconds;
  try {
    const result = await store.reserve(keyId, nonce, until, now);
    if (result === 'reserved') return undefined;
    return result === 'replayed' ? refusal(replayed) : refusal('replay_store_unavailable', 'the store is full');
  } catch (error) {
    return refusal('replay_store_unavailable', textOf(error));
  }
}

/** Checked before anything is stored. */
export function nonceProblem(nonce: string): Refusal | undefined {
  if (nonce.length >= nonceLength.least && nonce.length <= nonceLength.most) return undefined;
  return refusal('signature_incomplete', `nonce must have ${nonceLength.least} to ${nonceLength.most} characters`);
}
