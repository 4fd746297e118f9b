import type { Chain, Scope } from '@countersign/delegation';

/**
 * What a successful verification yields. Frozen; made only by the guard, which recognises its own:
 * an object that merely looks like a caller has no authority.
 */
export interface Caller {
  /** The agent that signed this request (RFC 8693 "actor"). */
  readonly actor: Actor;
  /** On whose behalf it acts (RFC 8693 "subject"); the actor itself when it acts for itself. */
  readonly subject: Subject;
  /** The verified hops from subject to actor, in order. */
  readonly chain: Chain;
  /** What it may use now: the intersection of every hop and of the actor's capabilities. */
  readonly scope: Scope;
  /** The signature that proved it. */
  readonly proof: Proof;
  /** Identifies this request in the audit log. */
  readonly requestId: string;
}

export interface Actor {
  readonly id: string;
  readonly type: 'agent';
  readonly keyId: string;
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

export interface Proof {
  readonly keyId: string;
  readonly algorithm: 'ed25519';
  /** Unix seconds. */
  readonly created: number;
  readonly tag: string;
}

const genuine = new WeakSet<Caller>();

/** Freezes a verified caller, deeply, and marks it as the guard's own. */
export function sealCaller(caller: Caller): Caller {
  const sealed = deepFreeze(structuredClone(caller));
  genuine.add(sealed);
  return sealed;
}

/** Whether the guard made this very object. */
export function isGenuineCaller(value: unknown): value is Caller {
  return typeof value === 'object' && value !== null && genuine.has(value as Caller);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
