import { PdpUnavailableError } from './unavailable.js';

export interface CircuitBreakerOptions {
  /** Consecutive failures that open the breaker. */
  readonly failures: number;
  /** How long it then stays open. */
  readonly openMilliseconds: number;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
}

/**
 * After some consecutive failures, calls fail immediately for a while. Then a single call is let through as a probe; the
 * others fail until it succeeds.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failures = 0;
  #openUntil = 0;
  #probing = false;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Rejects as `call` does, or with a `PdpUnavailableError` without calling it while the breaker is open. */
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
