import type { Revocable } from './revocable.js';

/** Where revocations are kept besides the guard's own memory. */
export interface RevocationSource {
  /**
   * Asked for every request, and again when it asks for a decision more than a second later. `named` is everything that
   * the request rests on, each under every name by which it can be revoked, so that exact matches suffice
   * (`revocationKey` makes texts of them). Answers with the one of `named` that is revoked, or undefined if none is.
   * Anything else refuses the request with 503 `revocations_unavailable`: an exception, or no answer within
   * `lookupTimeoutSeconds`. A source that lost what it held must reject; it must not say that nothing is revoked.
   */
  findRevoked(named: readonly Revocable[], nowSeconds: number): Revocable | undefined | Promise<Revocable | undefined>;
  close?(): void | Promise<void>;
}
