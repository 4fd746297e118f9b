import { PdpUnavailableError } from './unavailable.js';

export interface CircuitBreakerOptions {
  /** How many failures in a row open it. */
  readonly failures: number;
  /** For how long nothing is tried then. */
  readonly openMilliseconds: number;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
}

/**
 * Leaves alone what keeps failing: after some failures in a row calls fail at once, for a while. Then a single one is let
 * through as a probe; the others fail until it has come back.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failures = 0;
  #openUntil = 0;
  #probing = false;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Rejects with what `call` rejects with, or with a `PdpUnavailableError` where it is not even tried. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const probe = this.#failures >= this.#options.failures;
    if (probe && (this.#probing || this.#options.clock() < this.#openUntil)) {
      throw new PdpUnavailableError('it failed too often, and is not asked for a while');
    }
    if (probe) this.#probing = true;
    try {
      const result = await call();
      this.#failures = 0;
      return result;
    } catch (error) {
      this.#failures += 1;
      this.#openUntil = this.#options.clock() + this.#options.openMilliseconds;
      throw error;
    } finally {
      if (probe) this.#probing = false;
    }
  }
}
