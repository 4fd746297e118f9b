import type { AuditEvent } from '../audit/event.js';
import type { Covers } from '../body/verify-body.js';
import type { Proof } from '../caller.js';
import type { KeyHolder } from '../keys/key-holder.js';
import type { Refusal } from '../refusal.js';
import type { UsedProof } from '../replay/reserve-nonce.js';

/** Whose key the sender of a request holds, and how it proved that. */
export interface Possession {
  readonly holder: KeyHolder;
  readonly proof: Proof;
  /** Whether the proof covers a field of this name. Absent where a proof binds neither fields nor body. */
  readonly covers: Covers | undefined;
  /** What is used up once the request has verified; absent where the proof may be sent again. */
  readonly used: UsedProof | undefined;
}

export type PossessionResult =
  | { readonly ok: true; readonly possession: Possession }
  | { readonly ok: false; readonly refusal: Refusal; readonly claimed: AuditEvent['claimed'] };

export function notProved(refusal: Refusal, claimedKeyId?: string): PossessionResult {
  return { ok: false, refusal, claimed: claimedKeyId === undefined ? undefined : { keyId: claimedKeyId } };
}
