import { andThen, type Awaitable, isPromise } from '@countersign/common';
import type { AuditEvent } from '@countersign/audit';
import type { Proof, Session } from '../model/caller.js';
import type { FieldSection } from '@countersign/signature';
import { type Refusal, refusal } from '../model/refusal.js';
import type { BodyLimits } from '../model/request-body.js';
import { fieldsTooLarge, type IndexedRequest } from '../model/request.js';
import { hidesFields, methodSeenDifferently } from './address/one-view.js';
import { type Address, type Origin, readAddress } from './address/origin.js';
import type { Forwarded } from './address/proxies.js';
import { verifyBody } from './body/verify-body.js';
import { readDelegationField } from './chain/link-gate.js';
import { bearerChain } from './chain/bearer-chain.js';
import { type ChainParts, createChainVerifier, type VerifiedChain } from './chain/verify-chain.js';
import { uncoveredCredential } from './possession/profile.js';
import { type ProofParts, readProof, showsTokenOnly } from './possession/read-proof.js';
import { type ReplayParts, reserveNonce } from './replay/reserve-nonce.js';
import type { Revalidate } from './revocation/check-revocations.js';
import type { Revalidation } from './revocation/revalidate.js';
import { type AuthorizationReading, readAuthorization } from './token/authorization-header.js';
import type { TokenResult, TokenVerifier, VerifiedToken } from './token/token-verifier.js';

/** The outcome of verifying one request. `claimed` is what it said about itself, unverified, for the audit record. */
export type Verification =
  | {
      readonly ok: true;
      readonly session: Session;
      readonly proof: Proof;
      readonly revalidate: Revalidate;
      /** Of the origin that the request is for. */
      readonly authority: string;
    }
  | { readonly ok: false; readonly refusal: Refusal; readonly claimed: AuditEvent['claimed'] };

/** What each stage needs. */
export interface VerifierParts extends ProofParts, ReplayParts, ChainParts {
  /** Whether a token alone is accepted. */
  readonly bearer: boolean;
  readonly origins: readonly Origin[];
  /** What a token or link for this origin must name. */
  readonly audiencesOf: (origin: Origin) => readonly string[];
  readonly tokens: TokenVerifier;
  readonly bodyLimits: BodyLimits;
  readonly revalidation: Revalidation;
}

export type Verifier = (request: IndexedRequest, forwarded?: Forwarded) => Promise<Verification>;

/**
 * Verifies one request, in this order: address, proof (read), token, possession (the proof verified), replay, body,
 * chain, revocation. Cheap stages come before expensive ones, and stages that keep state come after the signature. The
 * token comes before the proof is verified, because an issuer may vouch for the key. Never rejects because of a request.
 *
 * Stages whose answer is here are not awaited: most requests wait for nothing but the verification of their proof.
 */
export function createVerifier(parts: VerifierParts): Verifier {
  const verifyChain = createChainVerifier(parts);

  /** A token alone binds neither the request nor its body to who sent it; policy can tell by `possession`. */
  async function verifyBearer(
    request: IndexedRequest,
    { origin }: Address,
    authorization: AuthorizationReading,
  ): Promise<Verification> {
    const now = parts.clock() / 1000;
    const audiences = parts.audiencesOf(origin);
    const uncovered = uncoveredCredential(request.fields, (field) => field === 'authorization');
    if (uncovered !== undefined) return refuse(uncovered);
    const token = await verifyToken(parts.tokens, authorization, { now, audiences });
    if (token?.ok !== true) return refuse(refusal(token?.code ?? 'token_invalid', token?.detail));
    // Not by its client, which may be an application that all users share.
    const badBody = await verifyBody(request, undefined, parts.bodyLimits, `bearer ${token.token.claims.subject}`);
    if (badBody !== undefined) return refuse(badBody);
    const verified = await bearerChain(token.token, parts);
    if ('code' in verified) return refuse(verified);
    return revalidated(verified, { kind: 'bearer' }, origin.authority, { token: token.token, now });
  }

  function revalidated(
    { session, signers }: VerifiedChain,
    proof: Proof,
    authority: string,
    {
      token,
      now,
      claimed,
    }: {
      readonly token: VerifiedToken | undefined;
      readonly now: number;
      readonly claimed?: AuditEvent['claimed'];
    },
  ): Awaitable<Verification> {
    const revalidate = parts.revalidation({ chain: session.chain, signers, token, askedAt: now });
    return andThen(revalidate(), (revoked) =>
      revoked === undefined ? { ok: true, session, proof, revalidate, authority } : refuse(revoked, claimed),
    );
  }

  return async function verify(request, forwarded = {}) {
    const { rawHeaders, fields, target } = request;
    const now = parts.clock() / 1000;

    if (hidesFields(request)) throw new Error('the host shows its fields in `headers`, and none in `rawHeaders`');
    if (fieldsTooLarge(target, rawHeaders)) return refuse(refusal('fields_too_large'));
    const folded = methodSeenDifferently(request);
    if (folded !== undefined) return refuse(folded);
    const address = readAddress(target, fields, parts.origins, forwarded.host);
    if ('code' in address) return refuse(address);

    const authorization = readAuthorization(fields, { dpop: parts.dpop !== undefined });
    const malformed = malformedBesideSignature(authorization, fields);
    if (malformed !== undefined) return refuse(malformed);
    if (parts.bearer && showsTokenOnly({ authorization, request }))
      return await verifyBearer(request, address, authorization);
    const proof = readProof({ request, address, authorization, now }, parts, forwarded);
    if (!proof.ok) return proof;

    const audiences = parts.audiencesOf(address.origin);
    let token = verifyToken(parts.tokens, authorization, { now, audiences });
    if (isPromise(token)) token = await token;

    const proved = await proof.verify(token);
    if (!proved.ok) return proved;
    const { holder, proof: proofShown, use, coversField } = proved.possession;
    const claimed = { keyId: holder.thumbprint, agent: holder.agent.id };
    if (token !== undefined && !token.ok) return refuse(refusal(token.code, token.detail), claimed);

    const links = readDelegationField(fields, parts.maxDelegationDepth);
    if ('code' in links) return refuse(links, claimed);

    let replayed = reserveNonce(use, holder.agent.id, parts);
    if (isPromise(replayed)) replayed = await replayed;
    if (replayed !== undefined) return refuse(replayed, claimed);

    let badBody = verifyBody(request, coversField, parts.bodyLimits, holder.agent.id);
    if (isPromise(badBody)) badBody = await badBody;
    if (badBody !== undefined) return refuse(badBody, claimed);

    let verified = verifyChain({ holder, token: token?.token, links, audiences, now });
    if (isPromise(verified)) verified = await verified;
    if ('code' in verified) return refuse(verified, claimed);

    return revalidated(verified, proofShown, address.origin.authority, { token: token?.token, now, claimed });
  };
}

/** The signature base must be ASCII, so a signed request with a malformed Authorization field is refused before it is built. An unsigned one gets `signature_required`. */
function malformedBesideSignature(authorization: AuthorizationReading, fields: FieldSection): Refusal | undefined {
  const isSigned = fields.has('signature-input');
  return authorization.kind === 'malformed' && isSigned ? refusal('token_malformed', authorization.detail) : undefined;
}

function verifyToken(
  tokens: TokenVerifier,
  authorization: AuthorizationReading,
  { now, audiences }: { readonly now: number; readonly audiences: readonly string[] },
): Awaitable<TokenResult | undefined> {
  return 'token' in authorization ? tokens.verify(authorization.token, now, audiences) : undefined;
}

function refuse(refused: Refusal, claimed?: AuditEvent['claimed']): Verification {
  return { ok: false, refusal: refused, claimed };
}
