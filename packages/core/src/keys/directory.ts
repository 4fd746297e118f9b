import type { KeyObject } from 'node:crypto';

/** A registered principal with keys of its own. */
export interface Agent {
  readonly id: string;
  /** The scopes it may ever use. */
  readonly capabilities: readonly string[];
  readonly roles: readonly string[];
  /** Who answers for it. */
  readonly owner?: string;
  readonly status: 'active' | 'suspended';
}

/** One Ed25519 key of an agent. */
export interface AgentKey {
  /** RFC 7638 JWK thumbprint: the `keyid` of its signatures. */
  readonly thumbprint: string;
  readonly publicKey: KeyObject;
  /** Unix seconds; before it the key does not count. */
  readonly notBefore?: number;
  /** Unix seconds; from then on the key does not count. */
  readonly expires?: number;
}

export type KeyLookup =
  | { readonly kind: 'found'; readonly agent: Agent; readonly key: AgentKey }
  | { readonly kind: 'unknown' }
  /**
   * Our outage, not the client's fault: refused with 503.
   *
   * `cause` is recorded. `reported` goes to the operator in its place: text of others, which may quote anything.
   *
   * `final` is set if only one agent could have the key here, and others serve its directory. If another source or an
   * issuer knows the key, it counts without waiting. If none does, call `final` for the answer.
   */
  | {
      readonly kind: 'unavailable';
      readonly cause: string;
      readonly reported?: string;
      readonly final?: () => KeyLookup | Promise<KeyLookup>;
    };

/**
 * What a directory says of a name. `suspended`: the name is taken, and no chain may lead through it. `unavailable`: our
 * outage, refused with 503.
 */
export type AgentStatus = 'active' | 'suspended' | 'unknown' | 'unavailable';

/** Where agents and their keys come from. A key belongs to exactly one agent. */
export interface AgentDirectory {
  /**
   * Who holds the key with this thumbprint. The thumbprint is untrusted input. A guard asks for the same one again only
   * when the last answer is there. It waits for at most 1024 answers about keys at once, and for 1024 more about names and
   * keys that were found before; beyond that, requests are refused with 503.
   */
  findByThumbprint(thumbprint: string): KeyLookup | Promise<KeyLookup>;
  /**
   * Whether an agent of this id is registered, so that nobody else can vouch for another key under its name, and whether
   * it is suspended, which ends every chain that leads through it. The id is untrusted input.
   */
  statusOf(id: string): AgentStatus | Promise<AgentStatus>;
  /** Called when the last guard that has it is closed. No guard takes it afterwards. */
  close?(): void | Promise<void>;
}

/** What a request shows of a client certificate, unverified. */
export interface ShownCertificate {
  /** The socket of the connection. Undefined: a trusted proxy sent the request, and the connection is its own. */
  readonly connection: object | undefined;
  /** The field lines of X-Forwarded-Client-Cert that a trusted proxy sent. */
  readonly forwarded: readonly string[];
}

export type CertificateLookup =
  /** The request shows no certificate. */
  | { readonly kind: 'none' }
  | ({ readonly kind: 'found' } & CertifiedAgent)
  | { readonly kind: 'refused'; readonly detail: string }
  /** Our outage: refused with 503. */
  | { readonly kind: 'unavailable'; readonly cause: string };

/** The agent that a certificate names. */
export interface CertifiedAgent {
  readonly agent: Agent;
  readonly publicKey: KeyObject;
  /** base64url SHA-256 of the certificate (RFC 8705 §3.1). */
  readonly thumbprint: string;
  /** Unix seconds; from then on the certificate does not count. */
  readonly expires: number;
  /** Whether the same certificate still counts. It must not hold the connection. */
  readonly recheck: (now: number) => CertificateLookup;
}

/** Names agents by the certificates of their connections. It answers at once, from memory, and never throws. */
export interface CertificateAgents {
  /**
   * The `trustedProxies` whose X-Forwarded-Client-Cert counts: they verify client certificates, and remove what a client
   * wrote there. Default: none.
   */
  readonly forwardedBy?: readonly string[];
  /** `now` is unix seconds. */
  findByCertificate(shown: ShownCertificate, now: number): CertificateLookup;
  /** As in an `AgentDirectory`: what is known here, no issuer can vouch for. */
  statusOf(id: string): AgentStatus;
  /** As in an `AgentDirectory`. */
  close?(): void | Promise<void>;
}
