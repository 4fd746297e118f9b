import { ConfigError, guardDefaults } from '@countersign/common';

/** A proof that counts once: a signature or a DPoP proof. Times are unix seconds. */
export interface OneTimeProof {
  /** Who takes the room: the id of the agent, which may have many keys. */
  readonly agent: string;
  readonly keyId: string;
  readonly nonce: string;
  /** When the client says that it made the proof. */
  readonly created: number;
  /**
   * How long to remember it: from this moment on, this guard refuses the proof as expired. A store that processes share
   * adds `clockSkewSeconds`, since a guard whose clock is behind accepts it for so long.
   */
  readonly until: number;
  /** The guard's clock at the call. Count `until - now` from your own clock, and the two need not agree. */
  readonly now: number;
}

/**
 * Remembers which proofs were used. One atomic step, never find-then-save: two processes or two concurrent
 * requests must not both win.
 */
export interface ReplayStore {
  /**
   * How far clocks of clients may be ahead, in seconds, for `reserved` to be true to what was signed before the store
   * began. A guard that allows for more does not start. Undefined: it does not depend on that.
   */
  readonly clockSkewSeconds?: number;
  /**
   * Reserves (keyId, nonce) until the given moment, also if the key has come to another agent.
   *
   * - `reserved`: this call was the first. Answer so only if the store remembers everything back to `created`.
   * - `replayed`: it was reserved before.
   * - `before_epoch`: the store began, or lost what it held, after `created`, and cannot tell. The client signs anew,
   *   at least one second later.
   * - `full`: no room left. A live nonce is never evicted to make some.
   *
   * A store that cannot be reached rejects. One that does not answer within `lookupTimeoutSeconds` counts as that.
   */
  reserve(proof: OneTimeProof): ReplayResult | Promise<ReplayResult>;
}

export type ReplayResult = 'reserved' | 'replayed' | 'before_epoch' | 'full';

/**
 * Otherwise what a client signs by a clock that is ahead would count twice once the store has lost it.
 *
 * @throws ConfigError if the store allows for less than the guard.
 */
export function allowingFor(
  { clockSkewSeconds: skew = guardDefaults.clockSkewSeconds }: { readonly clockSkewSeconds?: number },
  store: ReplayStore,
): ReplayStore {
  const { clockSkewSeconds = Infinity } = store;
  if (clockSkewSeconds >= skew) return store;
  throw new ConfigError(
    `createGuard: 'replay' allows for clocks that are ${clockSkewSeconds} s ahead, this guard for ${skew} s. Give the store the same: { clockSkewSeconds: ${skew} }.`,
  );
}

/** How long a guard accepts a proof, in seconds. */
interface Ages {
  readonly maxAgeSeconds: number;
  readonly clockSkewSeconds: number;
  readonly webBotAuth: { readonly maxAgeSeconds: number } | undefined;
  readonly dpop: { readonly maxAgeSeconds: number } | undefined;
}

/** The same of guards with one store, by the option that says so. */
const agesOf = new WeakMap<ReplayStore, Map<string, number>>();

/**
 * Compares how long a guard accepts what it reserves in a store. The store forgets it then, so that a guard that accepts it
 * for longer would take it once more. Returns what notes the ages, once nothing else stops the start of the guard.
 *
 * @throws ConfigError if another guard of this process has the store, and other ages.
 */
export function shareReplay(
  store: ReplayStore,
  { maxAgeSeconds, clockSkewSeconds, webBotAuth, dpop }: Ages,
): () => void {
  const ages = Object.entries({
    maxAgeSeconds,
    clockSkewSeconds,
    'webBotAuth.maxAgeSeconds': webBotAuth?.maxAgeSeconds,
    'dpop.maxAgeSeconds': dpop?.maxAgeSeconds,
  }).flatMap(([option, seconds]) => (seconds === undefined ? [] : [[option, seconds] as const]));
  const known = agesOf.get(store);
  for (const [option, seconds] of ages) {
    const other = known?.get(option) ?? seconds;
    if (other !== seconds)
      throw new ConfigError(
        `createGuard: another guard with this 'replay' has ${option}: ${other}, this one ${seconds}. Give both the same.`,
      );
  }
  return () => void agesOf.set(store, new Map([...(known ?? []), ...ages]));
}
