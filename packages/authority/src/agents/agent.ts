import type { Ed25519PublicJwk } from '@countersign/delegation';

/** `pending`: registered, not yet approved. `revoked` is final. Only an active agent gets tokens and is in the directory. */
export type AgentStatus = 'pending' | 'active' | 'suspended' | 'revoked';

export interface AgentRole {
  readonly name: string;
  /** Unix seconds; from then on the agent does not have the role. Absent: for ever. */
  readonly until?: number;
}

/** One key of an agent. All times are unix seconds. */
export interface RegisteredKey {
  /** RFC 7638 thumbprint: the `keyid` of its signatures, and the `kid` of its assertions. */
  readonly thumbprint: string;
  readonly jwk: Ed25519PublicJwk;
  /** Before it the key does not count. */
  readonly notBefore?: number;
  /** From then on the key does not count. */
  readonly expiresAt?: number;
}

/** An agent as the authority knows it. */
export interface RegisteredAgent {
  readonly id: string;
  /** Who answers for it. */
  readonly owner?: string;
  /** The scopes that it may ever use. */
  readonly capabilities: readonly string[];
  readonly roles: readonly AgentRole[];
  readonly tags: readonly string[];
  readonly status: AgentStatus;
  /** What keeps it suspended: `id` if it was suspended by itself, `tag ci`, or a pattern of SPIFFE IDs. */
  readonly suspendedBy?: readonly string[];
  /** Unix seconds; from then on it counts as suspended. */
  readonly expiresAt?: number;
  /** What people see on pages. Default: the id. */
  readonly name?: string;
  /** Where a user's browser may be sent back to (RFC 6749 §3.1.2). */
  readonly redirectUris: readonly string[];
  readonly keys: readonly RegisteredKey[];
  /** A workload that proves itself with SPIFFE. It has no keys here, and its facts are those of its rule. */
  readonly workload?: true;
  /** Of a workload: unix seconds, to the hour, of its last token. It is forgotten a day later if it has no token then. */
  readonly seenAt?: number;
  readonly createdAt: number;
}

/** A key as callers write it. Exactly one of `publicKey` and `jwk`. */
export interface NewKey {
  /** The 32 bytes of the Ed25519 public key in base64. */
  readonly publicKey?: string;
  readonly jwk?: object;
  readonly notBefore?: number;
  readonly expiresAt?: number;
}

/** The facts about an agent besides its id, status and keys. */
export interface AgentFacts {
  readonly owner?: string;
  /** Default: none. */
  readonly capabilities?: readonly string[];
  /** A name alone is a role for ever. Default: none. */
  readonly roles?: readonly (string | AgentRole)[];
  /** To find agents by, and to change many at once. Default: none. */
  readonly tags?: readonly string[];
  /** Unix seconds; from then on it counts as suspended. Default: never. */
  readonly expiresAt?: number;
  /** What people see on pages. Default: the id. */
  readonly name?: string;
  /** Where a user's browser may be sent back to: https URLs, or http on loopback. Default: none. */
  readonly redirectUris?: readonly string[];
}

/** An agent as callers register it. */
export interface NewAgent extends AgentFacts, NewKey {
  readonly id: string;
  /** Several keys, instead of one `publicKey` or `jwk`. */
  readonly keys?: readonly NewKey[];
  /** Default `active`. */
  readonly status?: 'pending' | 'active';
}

/** Whether the agent may act now. */
export function mayAct(agent: Pick<RegisteredAgent, 'status' | 'expiresAt'>, now: number): boolean {
  return agent.status === 'active' && (agent.expiresAt === undefined || now < agent.expiresAt);
}

/** The keys that count now. */
export function currentKeys(agent: Pick<RegisteredAgent, 'keys'>, now: number): readonly RegisteredKey[] {
  return agent.keys.filter(
    ({ notBefore, expiresAt }) =>
      (notBefore === undefined || notBefore <= now) && (expiresAt === undefined || now < expiresAt),
  );
}
