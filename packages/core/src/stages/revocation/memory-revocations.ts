import { checkOptionNames, ConfigError, readClock } from '@countersign/common';
import { readRevocation, type Revocable, type Revocation } from './revocable.js';
import { RevocationSet } from './revocation-set.js';
import type { RevocationSource } from './revocable.js';

/**
 * Revocations in the memory of this process: they take effect with the next request, also for tokens that were verified
 * before, and with the next decision of a request that is being served. They end with the process.
 */
export interface Revocations extends RevocationSource {
  /**
   * Revokes an agent, a key, a subject, a delegation or an issuer. Again, with a later `until` or none: longer.
   *
   * @throws ConfigError when it does not say clearly what, or when its `until` has passed, so that it would revoke nothing.
   */
  revoke(revocation: Revocation): void;
  /** Takes back exactly this revocation; says whether there was one. What another source says still counts. */
  restore(revocable: Revocable): boolean;
  /** What is revoked now. */
  list(): readonly Revocation[];
  findRevoked(named: readonly Revocable[], nowSeconds: number): Revocable | undefined;
}

/**
 * Every guard has one, `guard.revocations`. Make one yourself to hand the same to several guards of a process.
 *
 * @example
 * const revocations = memoryRevocations();
 * revocations.revoke({ agent: 'agent-code-reviewer-01' });
 * revocations.revoke({ delegation: '7c9e', issuer: 'https://id.acme.dev', until: 1_790_000_000 });
 */
export function memoryRevocations(options: { readonly clock?: () => number } = {}): Revocations {
  checkOptionNames('memoryRevocations', options, ['clock']);
  return revocationsIn(new RevocationSet(), readClock('memoryRevocations', options.clock));
}

export function revocationsIn(set: RevocationSet, clock: () => number): Revocations {
  const now = (): number => clock() / 1000;
  return {
    revoke(given) {
      const revocation = readRevocation('revoke', given);
      if (revocation.until !== undefined && revocation.until <= now()) {
        throw new ConfigError("revoke: 'until' has passed already, so that nothing would be revoked. Leave it out?");
      }
      set.add(revocation, now());
    },
    restore(revocable) {
      const { until, ...named } = readRevocation('restore', revocable);
      if (until !== undefined) throw new ConfigError("restore: leave out 'until'; the revocation ends now.");
      return set.delete(named);
    },
    list: () => set.inForce(now()),
    findRevoked: (named, nowSeconds) => set.find(named, nowSeconds),
  };
}
