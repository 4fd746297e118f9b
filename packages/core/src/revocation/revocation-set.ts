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

  find<T extends Revocable>(named: readonly T[], now: number): T | undefined {
    if (this.#revocations.size === 0) return undefined;
    return named.find((one) => {
      const revocation = this.#revocations.get(revocationKey(one));
      return revocation !== undefined && now < end(revocation);
    });
  }

  inForce(now: number): readonly Revocation[] {
    return [...this.#revocations.values()].filter((revocation) => now < end(revocation));
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
