import { createHash } from 'node:crypto';
import type { FieldSection } from '@countersign/signature';
import type { AgentDirectory } from '../../keys/directory.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { AuthorizationReading } from '../token/authorization-header.js';
import type { TokenResult } from '../token/token-verifier.js';
import type { DpopNonces } from './dpop-options.js';
import { type DpopProof, readDpopProof, isUriOfRequest } from './dpop-proof.js';
import { findKeyHolder } from './key-holder.js';
import { notProved, type PossessionResult, type ProofReading, type ProofSubject } from './possession.js';
import { uncoveredCredential } from './profile.js';

/** Whether a request uses DPoP, or says so: then nothing weaker counts. */
export function presentsDpop(authorization: AuthorizationReading, fields: FieldSection): boolean {
  return authorization.kind === 'dpop' || fields.has('dpop');
}

/** How DPoP proofs are judged. */
export interface DpopRules {
  readonly maxAgeSeconds: number;
  /** Undefined if no nonce is asked for. */
  readonly nonces: DpopNonces | undefined;
}

export interface DpopProofParts {
  readonly agents: AgentDirectory;
  readonly clockSkewSeconds: number;
}

/**
 * Possession by a DPoP proof (RFC 9449 §4.3, §7.1): of a key that the token is bound to, for this method, URI and token.
 * It binds neither body nor fields, so a field that gives authority is refused beside it.
 */
export function readDpop(subject: ProofSubject, dpop: DpopRules, parts: DpopProofParts): ProofReading {
  const { fields } = subject.request;
  const text = proofText(fields, subject.authorization);
  if (typeof text !== 'string') return notProved(text);
  const uncovered = uncoveredCredential(fields, (field) => field === 'authorization');
  if (uncovered !== undefined) return notProved(uncovered);
  return { ok: true, verify: (token) => verifyDpop(text, token, { subject, dpop, parts }) };
}

interface DpopTerms {
  readonly subject: ProofSubject;
  readonly dpop: DpopRules;
  readonly parts: DpopProofParts;
}

async function verifyDpop(
  text: string,
  token: TokenResult | undefined,
  { subject, dpop, parts }: DpopTerms,
): Promise<PossessionResult> {
  const { agents, clockSkewSeconds } = parts;
  const { now } = subject;
  // Before the proof, which any client can make with its own key: an unverified client has no token.
  if (token?.ok !== true) return notProved(refusal(token?.code ?? 'token_invalid', token?.detail));
  const read = await readDpopProof(text);
  if (!read.ok) return notProved(refusal('dpop_proof_invalid', read.problem));
  const proof = read.value;
  const { thumbprint, publicKey } = proof;
  const refused = misuse(proof, subject) ?? untimely(proof, dpop, now, clockSkewSeconds);
  if (refused !== undefined) return notProved(refused, thumbprint);

  // RFC 9449 §7.1: without this anybody could present a stolen token with a proof of a key of his own.
  if (token.token.claims.confirmation?.jkt !== thumbprint) {
    return notProved(refusal('token_not_bound_to_agent', 'its cnf.jkt is not the key of the proof'), thumbprint);
  }
  const holder = await findKeyHolder(thumbprint, { agents, token, now, presentedKey: publicKey });
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
      coversField: undefined,
      use: {
        // As for signatures, so that no key gets the room of several. The hash keeps a jti apart from their nonces.
        keyId: thumbprint,
        nonce: createHash('sha256').update(proof.id).digest('base64url'),
        created: proof.issuedAt,
        validUntil: endOfValidity(proof, dpop, clockSkewSeconds),
        codes: { expired: 'dpop_proof_expired', replayed: 'dpop_proof_replayed' },
      },
    },
  };
}

/** The one proof of the request, beside a token that asks for one. */
function proofText(fields: FieldSection, authorization: AuthorizationReading): string | Refusal {
  const [proof, ...others] = fields.raw('dpop');
  if (authorization.kind === 'malformed') return refusal('token_malformed', authorization.detail);
  if (proof === undefined) return refusal('dpop_proof_required');
  if (others.length > 0) return refusal('dpop_proof_invalid', 'more than one DPoP field');
  // RFC 9449 §7.2: a bound token must not be used as a Bearer token.
  if (authorization.kind !== 'dpop') return refusal('dpop_proof_invalid', 'there is no token of scheme DPoP');
  return proof;
}

function misuse(proof: DpopProof, { request, address, authorization }: ProofSubject): Refusal | undefined {
  if (proof.method !== request.method) return refusal('dpop_proof_invalid', 'its htm is another method');
  if (!isUriOfRequest(proof.uri, address.origin, request.target)) {
    return refusal('dpop_proof_invalid', 'its htu is another URI');
  }
  const token = authorization.kind === 'dpop' ? authorization.token : '';
  if (proof.tokenHash !== createHash('sha256').update(token).digest('base64url')) {
    return refusal('dpop_proof_invalid', 'its ath is of another token');
  }
  return undefined;
}

/** Comparisons are written so that a NaN refuses. */
function untimely(proof: DpopProof, dpop: DpopRules, now: number, clockSkewSeconds: number): Refusal | undefined {
  if (dpop.nonces !== undefined && !dpop.nonces.accepts(proof.nonce ?? '', now)) return refusal('dpop_nonce_required');
  if (!(proof.issuedAt <= now + clockSkewSeconds)) return refusal('dpop_proof_expired', 'its iat is in the future');
  if (now < endOfValidity(proof, dpop, clockSkewSeconds)) return undefined;
  return refusal('dpop_proof_expired', 'its iat is too old');
}

function endOfValidity({ issuedAt }: DpopProof, { maxAgeSeconds }: DpopRules, clockSkewSeconds: number): number {
  return issuedAt + maxAgeSeconds + clockSkewSeconds;
}
