import type { AuthorizationDetailLists, Chain, Scope } from '@countersign/delegation';

/**
 * What a successful verification yields. Deeply frozen, and good for one request of one guard: the guard recognises the
 * very objects it made, so that an object that merely looks like a caller has no authority.
 */
export interface Caller {
  /** The agent that sent this request, proved as `proof` says (RFC 8693 "actor"). */
  readonly actor: Actor;
  /** On whose behalf it acts (RFC 8693 "subject"); the actor itself when it acts for itself. */
  readonly subject: Subject;
  /** The verified hops from subject to actor, in order. */
  readonly chain: Chain;
  /** What it may use now: the intersection of every hop and of the actor's capabilities. */
  readonly scope: Scope;
  /** What was handed over in detail (RFC 9396): the list of each hop that has one. A request must be in every list. */
  readonly authorizationDetails?: AuthorizationDetailLists;
  /** How the sender proved that it holds its key. */
  readonly proof: Proof;
  /** Identifies this request in the audit log. */
  readonly requestId: string;
}

export interface Actor {
  readonly id: string;
  readonly type: 'agent';
  /** Absent if no key was proved: `proof.kind` is then `bearer` or `local`. */
  readonly keyId?: string;
  readonly roles: readonly string[];
  readonly capabilities: readonly string[];
  readonly owner?: string;
}

export interface Subject {
  readonly id: string;
  readonly type: 'user' | 'agent';
  /** Who vouches for the subject's name; absent when it is the actor itself. */
  readonly issuer?: string;
}

/** `bearer`: a token alone. `local`: the application states who calls; there is no HTTP request. */
export type Proof = KeyProof | CertificateProof | { readonly kind: 'bearer' | 'local' };

/** The certificate of a TLS connection: it binds neither body nor fields, which are the business of TLS. */
export interface CertificateProof {
  readonly kind: 'mtls';
  /** base64url SHA-256 of the certificate. */
  readonly keyId: string;
}

export interface KeyProof {
  /** `signature`: of our own profile. `dpop`: RFC 9449; it binds no body. `web-bot-auth`: identity only. */
  readonly kind: 'signature' | 'dpop' | 'web-bot-auth';
  readonly keyId: string;
  readonly algorithm: 'ed25519' | 'ecdsa-p256-sha256';
  /** Unix seconds. */
  readonly created: number;
  /** The tag of a signature. */
  readonly tag?: string;
}

/** The part of a caller that is the same in every request with the same credentials. Deeply frozen, and shared by them. */
export type Session = Omit<Caller, 'proof' | 'requestId'>;
