import { type Revocable, revocationKey } from '@countersign/core';
import { Frozen } from './frozen.js';
import type { RevocationEntry } from './revocation-feed.js';

const endedSeconds = 3600;

/** What is revoked or frozen, as far as a list was read. */
export class RevocationCopy {
  readonly #revoked = new Map<string, number>();
  readonly #frozen = new Frozen();

  apply({ name, until, inForce }: RevocationEntry): void {
    if (this.#frozen.set(name, inForce)) return;
    if (inForce) this.#revoked.set(name, until ?? Infinity);
    else this.#revoked.delete(name);
  }

  find(named: readonly Revocable[], nowSeconds: number): Revocable | undefined {
    const frozen = this.#frozen.find(named);
    if (frozen !== undefined || this.#revoked.size === 0) return frozen;
    return named.find((one) => nowSeconds < (this.#revoked.get(revocationKey(one)) ?? -Infinity));
  }

  entries(): readonly RevocationEntry[] {
    const revoked = [...this.#revoked].map(([name, until]) => entryOf(name, until));
    return [...revoked, ...this.#frozen.names().map((name) => entryOf(name, Infinity))];
  }

  /** What is in force here and not there, or not for as long. */
  missingIn(other: RevocationCopy): readonly RevocationEntry[] {
    const frozen = new Set(other.#frozen.names());
    return this.entries().filter(
      ({ name, until = Infinity }) => !frozen.has(name) && !((other.#revoked.get(name) ?? -Infinity) >= until),
    );
  }

  /** Forgets entries that ended long ago by any clock. */
  sweep(): void {
    const before = Date.now() / 1000 - endedSeconds;
    for (const [name, until] of this.#revoked) if (until < before) this.#revoked.delete(name);
  }
}

function entryOf(name: string, until: number): RevocationEntry {
  return { name, until: until === Infinity ? undefined : until, inForce: true };
}
