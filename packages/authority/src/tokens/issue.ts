import { randomUUID } from 'node:crypto';
import type { Actor, Ancestor, AuthorizationDetail, Confirmation, Scope } from '@countersign/delegation';
import { agentProfile, ancestorsClaim, formatScope } from '@countersign/delegation';
import type { Ledger } from '../delegation/ledger.js';
import { statusReference } from '../delegation/status-list.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import type { Resource } from '../options/read-options.js';
import type { Statement } from '../storage/store.js';
import { signClaims } from '../keys/sign-claims.js';

/** What a token says. */
export interface TokenContent {
  /** The agent that gets the token. */
  readonly agent: string;
  /** On whose behalf it acts; the agent itself if it acts for itself. */
  readonly subject: string;
  /** Actors before the agent, most recent first. */
  readonly priorActors: readonly Actor[];
  readonly resource: Pick<Resource, 'audience' | 'scopeMatch'>;
  readonly scope: Scope;
  /** Unix seconds. */
  readonly expiresAt: number;
  /** Thumbprint of the key with which the agent proved itself. The token dies with it, if it is registered. */
  readonly thumbprint: string;
  /** The key with which alone the token can be used. */
  readonly confirmation: Confirmation;
  /** Whether the proof is a DPoP proof instead of a signature. */
  readonly tokenType: 'Bearer' | 'DPoP';
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  readonly maxHops?: number;
  /** The delegation that it is made from. */
  readonly parentId?: string;
  /** All delegations that it is made from, most recent first. Default: none. */
  readonly ancestors?: readonly Ancestor[];
  /** When the user signed in elsewhere, in unix seconds. Default: that of the parent, and now without one. */
  readonly grantedAt?: number;
  /** What the token uses up, and what it requires, in the transaction that records it. */
  readonly uses?: readonly Statement[];
  /** Whether the subject is an agent, for which no user stands. Default false. */
  readonly subjectIsAgent?: boolean;
  /** The issuer of the token that it is made from. Default: this authority. */
  readonly subjectIssuer?: string;
}

/** The answer of a token endpoint (RFC 6749 §5.1, RFC 8693 §2.2.1). */
export interface IssuedToken {
  readonly access_token: string;
  readonly token_type: 'Bearer' | 'DPoP';
  readonly expires_in: number;
  readonly scope: string;
}

/**
 * Issues a token: records the hop, then signs. Undefined if the agent may not act or the parent is not in force any more;
 * then nothing was recorded. No token exists that the ledger does not know.
 */
export type IssueToken = (content: TokenContent) => Promise<IssuedToken | undefined>;

export interface IssueOptions {
  readonly issuer: string;
  readonly ledger: Ledger;
  readonly keys: SigningKeys;
  readonly now: () => number;
}

export function createIssueToken({ issuer, ledger, keys, now }: IssueOptions): IssueToken {
  return async (content) => {
    const { agent, subject, resource, scope, expiresAt, tokenType, parentId } = content;
    const issuedAt = now();
    const id = randomUUID();
    const claims = {
      iss: issuer,
      sub: subject,
      aud: resource.audience,
      client_id: agent,
      scope: formatScope(scope),
      // So that an API that compares otherwise refuses the token.
      scope_match: resource.scopeMatch,
      ...(subject !== agent && { act: nestActors([{ subject: agent }, ...content.priorActors]) }),
      ...(content.subjectIsAgent === true && { sub_profile: agentProfile }),
      iat: issuedAt,
      exp: expiresAt,
      jti: id,
      ...ancestorsClaim(ancestorsOf(content)),
      cnf: cnfOf(content),
      ...(content.authorizationDetails !== undefined && { authorization_details: content.authorizationDetails }),
      ...(content.maxHops !== undefined && { max_hops: content.maxHops }),
    };
    const entry = {
      id,
      ...(parentId !== undefined && { parentId }),
      issuer: content.subjectIssuer ?? issuer,
      subject,
      actor: agent,
      thumbprint: content.thumbprint,
      claims: { ...claims, token_type: tokenType },
      expiresAt,
      ...(content.grantedAt !== undefined && { grantedAt: content.grantedAt }),
    };
    const index = await ledger.record(entry, { before: content.uses ?? [] });
    if (index === undefined) return undefined;
    const status = { status_list: statusReference(issuer, index) };
    return {
      access_token: await signClaims(keys.current(now()), 'at+jwt', { ...claims, status }),
      token_type: tokenType,
      expires_in: expiresAt - issuedAt,
      scope: claims.scope,
    };
  };
}

/** The key with which the agent got a token that is bound to another is no less what the token rests on. */
function ancestorsOf({ thumbprint, confirmation, ancestors = [] }: TokenContent): readonly Ancestor[] {
  return thumbprint === confirmation.jkt ? ancestors : [{ keyId: thumbprint }, ...ancestors];
}

/** A client of RFC 9449 looks for `jkt`; `jwk` is what lets a guard know a key that is registered nowhere. */
function cnfOf({ confirmation: { jkt, jwk }, tokenType }: TokenContent): object {
  if (jwk === undefined) return { jkt };
  return tokenType === 'DPoP' ? { jkt, jwk } : { jwk };
}

/** RFC 8693 §4.1: the current actor outermost. */
export function nestActors(actors: readonly Actor[]): object | undefined {
  return actors.reduceRight<object | undefined>(
    (act, { subject }) => ({ sub: subject, ...(act !== undefined && { act }) }),
    undefined,
  );
}
