import type { AuditEvent } from '@countersign/audit';
import type { Covers } from '../body/verify-body.js';
import type { Proof } from '../../model/caller.js';
import type { KeyHolder } from './key-holder.js';
import type { Refusal } from '../../model/refusal.js';
import type { ProofUse } from '../replay/reserve-nonce.js';

/** Whose key the sender of a request holds, and how it proved that. */
export interface Possession {
  readonly holder: KeyHolder;
  readonly proof: Proof;
  /** Whether the proof covers a field of this name. Absent where a proof binds neither fields nor body. */
  readonly covers: Covers | undefined;
  /** How often and how long the proof counts. */
  readonly use: ProofUse;
}

/** How a signature that counts no more is refused. */
export const signatureUseCodes: ProofUse['codes'] = { expired: 'signature_expired', replayed: 'signature_replayed' };

export type PossessionResult =
  | { readonly ok: true; readonly possession: Possession }
  | { readonly ok: false; readonly refusal: Refusal; readonly claimed: AuditEvent['claimed'] };

export function notProved(refusal: Refusal, claimedKeyId?: string): PossessionResult {
  return { ok: false, refusal, claimed: claimedKeyId === undefined ? undefined : { keyId: claimedKeyId } };
}
