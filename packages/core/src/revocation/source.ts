import type { Revocable } from './revocable.js';

/** Where revocations are kept besides the guard's own memory. */
export interface RevocationSource {
  /**
   * Asked for every request, and again when it asks for a decision more than a second later. `named` is everything that
   * the request rests on, each under every name by which it can be revoked, so that exact matches suffice
   * (`revocationKey` makes texts of them). Answers with the one of `named` that is revoked, or undefined if none is.
   * Anything else, an exception included, refuses the request with 503 `revocations_unavailable`. It should bound its
   * own time: the request waits.
   */
  findRevoked(named: readonly Revocable[], nowSeconds: number): Revocable | undefined | Promise<Revocable | undefined>;
  close?(): void | Promise<void>;
}
