import { createHash } from 'node:crypto';
import { fieldValues } from '../address/fields.js';
import { findKeyHolder } from './key-holder.js';
import type { Settings } from '../../options/options.js';
import { uncoveredCredential } from './profile.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { AuthorizationReading } from '../token/authorization-header.js';
import type { DpopSettings } from './dpop-options.js';
import { type DpopProof, readDpopProof } from './dpop-proof.js';
import { notProved, type PossessionResult } from './possession.js';
import type { PresentedProof } from './presented.js';
import { isUriOfRequest } from './same-uri.js';

/** Whether a request uses DPoP, or says so: then nothing weaker counts. */
export function presentsDpop(authorization: AuthorizationReading, rawHeaders: readonly string[]): boolean {
  return authorization.kind === 'dpop' || fieldValues(rawHeaders, 'dpop').length > 0;
}

/**
 * Possession by a DPoP proof (RFC 9449 §4.3, §7.1): of a key that the token is bound to, for this method, URI and token.
 * It binds neither body nor fields, so that a field which gives authority is refused beside it.
 */
export async function provedByDpop(
  presented: PresentedProof,
  dpop: DpopSettings,
  settings: Settings,
): Promise<PossessionResult> {
  const { request, authorization, token, now } = presented;
  const text = proofText(request.rawHeaders, authorization);
  if (typeof text !== 'string') return notProved(text);
  const uncovered = uncoveredCredential(request.rawHeaders, (field) => field === 'authorization');
  if (uncovered !== undefined) return notProved(uncovered);

  // Before the proof, which anybody can make with a key of his own: a stranger has no token.
  const verified = await token();
  if (verified?.ok !== true) return notProved(refusal(verified?.code ?? 'token_invalid', verified?.detail));
  const read = await readDpopProof(text);
  if (!read.ok) return notProved(refusal('dpop_proof_invalid', read.problem));
  const proof = read.value;
  const { thumbprint, publicKey } = proof;
  const refused = misuse(proof, presented) ?? untimely(proof, dpop, now, settings.clockSkewSeconds);
  if (refused !== undefined) return notProved(refused, thumbprint);

  // RFC 9449 §7.1: without this anybody could present a stolen token with a proof of a key of his own.
  if (verified.token.claims.confirmation?.jkt !== thumbprint) {
    return notProved(refusal('token_not_bound_to_agent', 'its cnf.jkt is not the key of the proof'), thumbprint);
  }
  const holder = await findKeyHolder(thumbprint, { agents: settings.agents, token, now, presentedKey: publicKey });
  if ('code' in holder) return notProved(holder, thumbprint);
  return {
    ok: true,
    possession: {
      holder,
      proof: {
        kind: 'dpop',
        keyId: thumbprint,
        algorithm: publicKey.asymmetricKeyType === 'ed25519' ? 'ed25519' : 'ecdsa-p256-sha256',
        created: proof.issuedAt,
      },
      covers: undefined,
      use: {
        // No thumbprint begins so: a jti never collides with the nonce of a signature.
        keyId: `dpop:${thumbprint}`,
        nonce: createHash('sha256').update(proof.id).digest('base64url'),
        created: proof.issuedAt,
        validUntil: endOfValidity(proof, dpop, settings.clockSkewSeconds),
        codes: { expired: 'dpop_proof_expired', replayed: 'dpop_proof_replayed' },
      },
    },
  };
}

/** The one proof of the request, beside a token that asks for one. */
function proofText(rawHeaders: readonly string[], authorization: AuthorizationReading): string | Refusal {
  const [proof, ...others] = fieldValues(rawHeaders, 'dpop');
  if (authorization.kind === 'malformed') return refusal('token_malformed', authorization.detail);
  if (proof === undefined) return refusal('dpop_proof_required');
  if (others.length > 0) return refusal('dpop_proof_invalid', 'more than one DPoP field');
  // RFC 9449 §7.2: a bound token must not be used as a Bearer token.
  if (authorization.kind !== 'dpop') return refusal('dpop_proof_invalid', 'there is no token of scheme DPoP');
  return proof;
}

function misuse(proof: DpopProof, { request, addressed, authorization }: PresentedProof): Refusal | undefined {
  if (proof.method !== request.method) return refusal('dpop_proof_invalid', 'its htm is another method');
  if (!isUriOfRequest(proof.uri, addressed.origin, request.target)) {
    return refusal('dpop_proof_invalid', 'its htu is another URI');
  }
  const token = authorization.kind === 'dpop' ? authorization.token : '';
  if (proof.tokenHash !== createHash('sha256').update(token).digest('base64url')) {
    return refusal('dpop_proof_invalid', 'its ath is of another token');
  }
  return undefined;
}

/** Comparisons are written so that a NaN refuses. */
function untimely(proof: DpopProof, dpop: DpopSettings, now: number, clockSkewSeconds: number): Refusal | undefined {
  if (dpop.nonces !== undefined && !dpop.nonces.accepts(proof.nonce ?? '', now)) return refusal('dpop_nonce_required');
  if (!(proof.issuedAt <= now + clockSkewSeconds)) return refusal('dpop_proof_expired', 'its iat is in the future');
  if (now < endOfValidity(proof, dpop, clockSkewSeconds)) return undefined;
  return refusal('dpop_proof_expired', 'its iat is too old');
}

function endOfValidity({ issuedAt }: DpopProof, { maxAgeSeconds }: DpopSettings, clockSkewSeconds: number): number {
  return issuedAt + maxAgeSeconds + clockSkewSeconds;
}
