import type { ApprovalRequest } from '@countersign/approval';
import { errorMessage, isA, kindOf, LateAnswer } from '@countersign/common';

/** Every code a refusal can carry. */
export type RefusalCode =
  | 'request_malformed'
  | 'fields_too_large'
  | 'origin_mismatch'
  | 'signature_required'
  | 'signature_malformed'
  | 'signature_ambiguous'
  | 'signature_incomplete'
  | 'credential_uncovered'
  | 'algorithm_not_allowed'
  | 'signature_expired'
  | 'signature_not_yet_valid'
  | 'signature_invalid'
  | 'signature_replayed'
  | 'key_unknown'
  | 'key_not_valid'
  | 'agent_suspended'
  | 'digest_required'
  | 'digest_malformed'
  | 'digest_mismatch'
  | 'body_too_large'
  | 'body_incomplete'
  | 'body_timeout'
  | 'proof_ambiguous'
  | 'dpop_proof_required'
  | 'dpop_proof_invalid'
  | 'dpop_proof_expired'
  | 'dpop_proof_replayed'
  | 'dpop_nonce_required'
  | 'certificate_refused'
  | 'token_malformed'
  | 'token_invalid'
  | 'token_expired'
  | 'token_issuer_unknown'
  | 'token_audience_mismatch'
  | 'token_delegation_invalid'
  | 'token_not_bound_to_agent'
  | 'token_revoked'
  | 'delegation_malformed'
  | 'delegation_invalid'
  | 'delegation_audience_mismatch'
  | 'delegation_expired'
  | 'delegation_wider'
  | 'delegation_too_deep'
  | 'delegation_revoked'
  | 'policy_denied'
  | 'insufficient_scope'
  | 'authorization_details_exceeded'
  | 'approval_required'
  | 'approval_denied'
  | 'approval_malformed'
  | 'approval_invalid'
  | 'approval_expired'
  | 'approval_mismatch'
  | 'approval_used'
  | 'policy_error'
  | 'route_unmapped'
  | 'resource_unresolved'
  | 'body_consumed'
  | 'not_authenticated'
  | 'internal_error'
  | 'keys_unavailable'
  | 'issuer_unavailable'
  | 'revocations_unavailable'
  | 'replay_unknown'
  | 'replay_store_unavailable'
  | 'spool_unavailable'
  | 'policy_unavailable'
  | 'approvals_unavailable'
  | 'audit_unavailable'
  | 'shutting_down';

/** What to sign (RFC 9421 §5), what is wrong with the token (RFC 6750 §3), or with its proof (RFC 9449 §7.1). */
export type Challenge = 'signature' | 'token' | 'scope' | 'dpop';

export interface CatalogueRow {
  readonly status: number;
  readonly title: string;
  readonly fault: 'client' | 'server';
  /** Which challenge accompanies it. */
  readonly challenge?: Challenge;
  /** When the client may send the request again, signed anew (RFC 9110 §10.2.3). */
  readonly retryAfterSeconds?: number;
}

/**
 * The one catalogue of refusals. A refusal is a value, never an exception; its code is stable, its text constant.
 * `fault` keeps the client's mistakes and the API's own faults apart: they never share a code.
 */
export const catalogue: Readonly<Record<RefusalCode, CatalogueRow>> = {
  request_malformed: row(400, 'The request cannot be read unambiguously.'),
  fields_too_large: row(431, 'The header section is too large.'),
  origin_mismatch: row(401, 'The request is addressed to another origin.', 'signature'),

  signature_required: row(401, 'A message signature is required.', 'signature'),
  signature_malformed: row(400, 'The message signature cannot be read.', 'signature'),
  signature_ambiguous: row(400, 'It is not clear which message signature counts.', 'signature'),
  signature_incomplete: row(401, 'The signature does not cover what it must.', 'signature'),
  credential_uncovered: row(401, 'The signature does not cover a credential that the request carries.', 'signature'),
  algorithm_not_allowed: row(401, 'The signature algorithm is not allowed for this key.', 'signature'),
  signature_expired: row(401, 'The signature is no longer valid.', 'signature'),
  signature_not_yet_valid: row(401, 'The signature was created in the future.', 'signature'),
  signature_invalid: row(401, 'The signature does not verify with a key that is known here.', 'signature'),
  signature_replayed: row(401, 'This signature was used before.', 'signature'),
  key_unknown: row(401, 'The key is not known.', 'signature'),
  key_not_valid: row(401, 'The key is not valid at this time.', 'signature'),
  agent_suspended: row(401, 'The agent is suspended.', 'signature'),

  digest_required: row(401, 'The body is not bound by a covered Content-Digest.', 'signature'),
  digest_malformed: row(400, 'Content-Digest cannot be read or names no supported algorithm.', 'signature'),
  digest_mismatch: row(401, 'The body does not match its Content-Digest.', 'signature'),
  body_too_large: row(413, 'The body is too large.'),
  body_incomplete: row(400, 'The body ended early.'),
  body_timeout: row(408, 'The body took too long.'),

  proof_ambiguous: row(400, 'It is not clear which proof of possession counts.', 'signature'),
  dpop_proof_required: row(401, 'The access token is used without a DPoP proof.', 'dpop'),
  dpop_proof_invalid: row(401, 'The DPoP proof is not valid for this request.', 'dpop'),
  dpop_proof_expired: row(401, 'The DPoP proof is not valid at this time.', 'dpop'),
  dpop_proof_replayed: row(401, 'This DPoP proof was used before.', 'dpop'),
  dpop_nonce_required: row(401, 'The DPoP proof needs a current nonce of this server.', 'dpop'),
  certificate_refused: row(401, 'The client certificate of the connection is not accepted.', 'signature'),

  token_malformed: row(401, 'The access token cannot be read.', 'token'),
  token_invalid: row(401, 'The access token is not valid.', 'token'),
  token_expired: row(401, 'The access token is not valid at this time.', 'token'),
  token_issuer_unknown: row(401, 'The access token is from an issuer that is not trusted.', 'token'),
  token_audience_mismatch: row(401, 'The access token is meant for another audience.', 'token'),
  token_delegation_invalid: row(401, 'The access token does not state a valid delegation.', 'token'),
  token_not_bound_to_agent: row(401, 'The access token belongs to another agent or key.', 'token'),
  token_revoked: row(401, 'The access token was revoked.', 'token'),
  delegation_malformed: row(401, 'A delegation link cannot be read.', 'token'),
  delegation_invalid: row(401, 'The delegation links do not lead from the subject to the sender.', 'token'),
  delegation_audience_mismatch: row(401, 'A delegation link is meant for another audience.', 'token'),
  delegation_expired: row(401, 'A delegation link is not valid at this time.', 'token'),
  delegation_wider: row(401, 'A delegation link gives more than was handed over.', 'token'),
  delegation_too_deep: row(401, 'There are more delegations than are accepted here.', 'token'),
  delegation_revoked: row(401, 'Something that this delegation rests on was revoked.', 'token'),

  policy_denied: row(403, 'Policy does not permit this.'),
  insufficient_scope: row(403, 'The delegated scope does not cover this.', 'scope'),
  authorization_details_exceeded: row(403, 'The delegation is limited to other actions or resources.'),

  approval_required: row(403, 'This needs the approval of people.'),
  approval_denied: row(403, 'People were asked, and did not approve this.'),
  approval_malformed: row(400, 'The approval cannot be read.'),
  approval_invalid: row(403, 'The approval is not valid.'),
  approval_expired: row(403, 'The approval is not valid any more.'),
  approval_mismatch: row(403, 'The approval is for another request, or policy has changed since.'),
  approval_used: row(403, 'The approval was used, or it cannot be known that it was not.'),

  policy_error: ourFault(403, 'Policy could not be evaluated, so this is not permitted.'),
  route_unmapped: ourFault(403, 'This route asks for no permission, so agents may not use it.'),
  resource_unresolved: ourFault(500, 'The resource of this request could not be determined.'),
  body_consumed: ourFault(500, 'The body was read before it could be verified.'),
  not_authenticated: ourFault(500, 'This route asks for a decision, but nothing verified the request before it.'),
  internal_error: ourFault(500, 'The request could not be checked.'),
  keys_unavailable: ourFault(503, 'Agent keys cannot be looked up now.'),
  issuer_unavailable: ourFault(503, 'The keys of the token issuer cannot be fetched now.'),
  revocations_unavailable: ourFault(503, 'It cannot be told now what has been revoked.'),
  // `created` counts whole seconds: after one, a new signature has a later one.
  replay_unknown: {
    ...ourFault(503, 'It cannot be known whether this was used before, so sign the request anew.'),
    retryAfterSeconds: 1,
  },
  replay_store_unavailable: ourFault(503, 'Replay protection is not available now.'),
  spool_unavailable: ourFault(503, 'Large bodies cannot be kept now until they have verified.'),
  policy_unavailable: ourFault(503, 'Policy cannot be evaluated now.'),
  approvals_unavailable: ourFault(503, 'Approvals cannot be checked now.'),
  audit_unavailable: ourFault(503, 'The audit log cannot be written now.'),
  shutting_down: { ...ourFault(503, 'This process is shutting down.'), retryAfterSeconds: 1 },
};

/** Why a request was not let through. `detail` is for logs and the audit record; it never crosses the wire. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly status: number;
  readonly title: string;
  readonly fault: 'client' | 'server';
  readonly detail?: string;
  /** Reported to the operator instead of `detail`: text of foreign errors, which may quote the request. Never recorded. */
  readonly reported?: string;
  /** For `insufficient_scope`: the scope that would have sufficed (RFC 6750 §3.1). */
  readonly requiredScope?: string;
  /** What the agent may ask people to approve. It crosses the wire. */
  readonly approval?: ApprovalAsk;
  /** What is answered instead, where only the operator may know the reason. Default: this refusal itself. */
  readonly answer?: Refusal;
  /** Of such an answer: the code that was recorded, for logs and metrics. It never crosses the wire. */
  readonly recordedAs?: RefusalCode;
  /** Only with `dangerouslyExplainRefusals`: why policy refused. It crosses the wire. */
  readonly explanation?: string;
}

/** What people would be asked, and where. */
export interface ApprovalAsk {
  /** What an approval has to be for. */
  readonly binding: string;
  readonly request: ApprovalRequest;
  /** The authorities whose approvals count. */
  readonly issuers: readonly string[];
  /** The page where people decide, if they were asked already. */
  readonly url?: string;
  /** Why they did not approve. */
  readonly reason?: string;
}

/** All codes in catalogue order, for documentation and tests. */
export const refusalCodes: readonly RefusalCode[] = Object.keys(catalogue) as RefusalCode[];

/** Makes the refusal for a code. */
export function refusal(code: RefusalCode, detail?: string, requiredScope?: string): Refusal {
  const { status, title, fault } = catalogue[code];
  return Object.freeze({
    code,
    status,
    title,
    fault,
    ...(detail === undefined ? {} : { detail }),
    ...(requiredScope === undefined ? {} : { requiredScope }),
  });
}

/**
 * The refusal for a part of the application that failed, such as a database. Its text may hold credentials or the request
 * and comes from a stranger's request: only the operator gets it, and the record the kind of the error.
 */
export function outage(code: RefusalCode, error: unknown): Refusal {
  const detail = isA(error, LateAnswer) ? error.message : kindOf(error);
  return Object.freeze({ ...refusal(code, detail), reported: errorMessage(error) });
}

/** A refusal that is recorded as it is and answered as another one. */
export function answeredAs(refused: Refusal, answer: Refusal): Refusal {
  return Object.freeze({ ...refused, answer: Object.freeze({ ...answer, recordedAs: refused.code }) });
}

function row(status: number, title: string, challenge?: Challenge): CatalogueRow {
  return { status, title, fault: 'client', ...(challenge === undefined ? {} : { challenge }) };
}

function ourFault(status: number, title: string): CatalogueRow {
  return { status, title, fault: 'server' };
}
