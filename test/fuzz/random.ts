import { createHash } from 'node:crypto';

/** Random choices that depend only on a seed and the number of a case, so that each case can be repeated alone. */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: number, index: number) {
    const digest = createHash('sha256').update(`${seed}:${index}`).digest();
    this.#state = Uint32Array.from([0, 4, 8, 12], (offset) => digest.readUInt32LE(offset));
  }

  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number {
    return Math.floor((this.#next() / 2 ** 32) * bound);
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return this.#next() / 2 ** 32 < probability;
  }

  /** @throws RangeError if the list is empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from');
    return list[this.below(list.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  /** Characters of base64url. */
  text(length: number): string {
    return this.bytes(length).toString('base64url').slice(0, length);
  }

  /** sfc32, of PractRand: small, fast, and good enough to choose mutations. */
  #next(): number {
    const [a = 0, b = 0, c = 0, counter = 0] = this.#state;
    const result = (a + b + counter) >>> 0;
    this.#state.set([
      b ^ (b >>> 9),
      (c + (c << 3)) >>> 0,
      (((c << 21) | (c >>> 11)) + result) >>> 0,
      (counter + 1) >>> 0,
    ]);
    return result;
  }
}
