import type { Ancestor, DelegationClaims, Scope } from '@countersign/delegation';

/** A token that may be exchanged, verified and in force. */
export interface SubjectToken {
  /** Who issued it. */
  readonly issuer: string;
  /** Who issued the token that the first hop was made from. */
  readonly subjectIssuer: string;
  /** Within the namespace of its issuer. */
  readonly subject: string;
  readonly scope: Scope;
  readonly expiresAt: number;
  /** What else limits the tokens that are made of it. */
  readonly limits: Pick<DelegationClaims, 'authorizationDetails' | 'maxHops' | 'scopeMatch'>;
  /** Thumbprint of the key to which another issuer bound it (`cnf`). Only its holder may exchange it. */
  readonly boundTo?: string;
  /** The `iat` of a token of another issuer. */
  readonly issuedAt?: number;
  /** The agent to which it was issued; absent for a token of a user. */
  readonly holder?: string;
  /** Of a token of this authority. */
  readonly claims?: DelegationClaims;
  /** What is made from it is made from: the token itself, and its ancestors. */
  readonly ancestors: readonly Ancestor[];
  /** The one agent that may act (RFC 8693 §4.4), if the token says so. */
  readonly mayAct?: string;
}

export type SubjectTokenReading =
  | { readonly ok: true; readonly token: SubjectToken }
  | { readonly ok: false; readonly problem: string };

export function failed(problem: string): SubjectTokenReading {
  return { ok: false, problem };
}
