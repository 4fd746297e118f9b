import { LruCache } from '@countersign/common';
import type { Evaluation } from './evaluation.js';

/** With MAX_KEY characters each, keys take at most about 32 MiB. */
const MAX_ENTRIES = 4096;
const MAX_KEY = 4096;

/** A bounded cache of evaluations. It is sound because Cedar has no clock and no randomness. */
export class Memo {
  readonly #evaluations = new LruCache<Evaluation>(MAX_ENTRIES);

  get(key: string): Evaluation | undefined {
    return this.#evaluations.get(key);
  }

  set(key: string, evaluation: Evaluation): void {
    if (key.length <= MAX_KEY) this.#evaluations.set(key, evaluation);
  }
}
