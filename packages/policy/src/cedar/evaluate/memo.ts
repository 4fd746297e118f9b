import type { Evaluation } from './evaluation.js';

/** With MAX_KEY characters each, keys take at most about 32 MiB. */
const MAX_ENTRIES = 4096;
const MAX_KEY = 4096;

/** An LRU cache of evaluations. It is sound because Cedar has no clock and no randomness. */
export class Memo {
  readonly #evaluations = new Map<string, Evaluation>();

  get(key: string): Evaluation | undefined {
    const evaluation = this.#evaluations.get(key);
    if (evaluation === undefined) return undefined;
    this.#evaluations.delete(key);
    this.#evaluations.set(key, evaluation);
    return evaluation;
  }

  set(key: string, evaluation: Evaluation): void {
    if (key.length > MAX_KEY) return;
    const [oldest] = this.#evaluations.size < MAX_ENTRIES ? [] : this.#evaluations.keys();
    if (oldest !== undefined) this.#evaluations.delete(oldest);
    this.#evaluations.set(key, evaluation);
  }
}
