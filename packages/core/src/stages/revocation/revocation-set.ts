import { type Revocable, type Revocation, revocationKey } from './revocable.js';

const firstSweep = 1024;

/** Revocations in memory. Those whose time is over are swept out as others come, so that they do not add up. */
export class RevocationSet {
  readonly #revocations = new Map<string, Revocation>();
  #sweepAt = firstSweep;

  /** Of two for the same the longer one counts: to revoke again never shortens. */
  add(revocation: Revocation, now: number): void {
    const key = revocationKey(revocation);
    const known = this.#revocations.get(key);
    if (known !== undefined && end(known) > end(revocation)) return;
    this.#revocations.set(key, revocation);
    if (this.#revocations.size >= this.#sweepAt) this.#sweep(now);
  }

  /** Whether it was there. */
  delete(named: Revocable): boolean {
    return this.#revocations.delete(revocationKey(named));
  }

  get isEmpty(): boolean {
    return this.#revocations.size === 0;
  }

  find(named: readonly Revocable[], now: number): Revocable | undefined {
    return named.find((one) => this.#isRevoked(revocationKey(one), now));
  }

  /** The same where the keys are at hand. */
  findByKey(named: ReadonlyMap<string, Revocable>, now: number): Revocable | undefined {
    for (const [key, one] of named) if (this.#isRevoked(key, now)) return one;
    return undefined;
  }

  inForce(now: number): readonly Revocation[] {
    return [...this.#revocations.values()].filter((revocation) => now < end(revocation));
  }

  #isRevoked(key: string, now: number): boolean {
    const revocation = this.#revocations.get(key);
    return revocation !== undefined && now < end(revocation);
  }

  #sweep(now: number): void {
    for (const [key, revocation] of this.#revocations) {
      if (now >= end(revocation)) this.#revocations.delete(key);
    }
    this.#sweepAt = Math.max(firstSweep, 2 * this.#revocations.size);
  }
}

function end({ until = Infinity }: Revocation): number {
  return until;
}
