import type { AuditEvent } from '@countersign/audit';
import type { Proof } from '../../model/caller.js';
import type { Refusal, RefusalCode } from '../../model/refusal.js';
import type { IndexedRequest } from '../../model/request.js';
import type { Address } from '../address/origin.js';
import type { AuthorizationReading } from '../token/authorization-header.js';
import type { TokenResult } from '../token/token-verifier.js';
import type { KeyHolder } from './key-holder.js';

/** What a proof of possession is about. */
export interface ProofSubject {
  readonly request: IndexedRequest;
  readonly address: Address;
  readonly authorization: AuthorizationReading;
  /** Unix seconds. */
  readonly now: number;
}

/**
 * The proof of possession that a request carries, read and in good form. No key has been looked up and nothing has been
 * verified yet.
 */
export interface UnverifiedProof {
  /**
   * Verifies the proof. `token` is what became of the access token of the request, undefined if it has none: an issuer
   * may vouch for the key. Never rejects.
   */
  verify(token: TokenResult | undefined): Promise<PossessionResult>;
}

export type ProofReading = ({ readonly ok: true } & UnverifiedProof) | NotProved;

/** Whose key the sender of a request holds, and how it proved that. */
export interface Possession {
  readonly holder: KeyHolder;
  readonly proof: Proof;
  /** Whether the proof covers a field of this name. Undefined if the proof binds neither fields nor body. */
  readonly coversField: Covers | undefined;
  /** How often and how long the proof counts. */
  readonly use: ProofUse;
}

/** Whether a verified proof covers a field of this name. */
export type Covers = (fieldName: string) => boolean;

/** How often and how long a proof of possession counts. */
export interface ProofUse {
  readonly keyId: string;
  /** Undefined: the proof may be sent again until it ends. */
  readonly nonce: string | undefined;
  /** Unix seconds. */
  readonly created: number;
  /** Unix seconds: from this moment on the proof is refused as too old. */
  readonly validUntil: number;
  /** How a proof that is too old, and how a copy, is refused. */
  readonly codes: { readonly expired: RefusalCode; readonly replayed: RefusalCode };
}

export type PossessionResult = { readonly ok: true; readonly possession: Possession } | NotProved;

export interface NotProved {
  readonly ok: false;
  readonly refusal: Refusal;
  /** What the request said about itself, unverified. */
  readonly claimed: AuditEvent['claimed'];
}

export function notProved(refusal: Refusal, claimedKeyId?: string): NotProved {
  return { ok: false, refusal, claimed: claimedKeyId === undefined ? undefined : { keyId: claimedKeyId } };
}
