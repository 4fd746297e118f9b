import type { RecordFacts } from '../commands/audit/record-facts.js';

/** One path to an action: its chain and its counts. */
export interface ChainPath {
  readonly members: readonly Member[];
  readonly action: string;
  readonly allowed: number;
  readonly denied: number;
}

export interface Member {
  readonly id: string;
  readonly type: string;
  /** The proof of the delegation from the hop before. */
  readonly proof: string;
}

/** Each user adds paths, so only this many are kept apart; the others are only counted. */
const mostPaths = 20_000;

/** Counts decisions by their chain and action. */
export class ChainPaths {
  readonly #paths = new Map<string, { members: readonly Member[]; action: string; allowed: number; denied: number }>();
  #others = 0;

  /** Decisions that are in none of the paths. */
  get others(): number {
    return this.#others;
  }

  add({ chain, action, decision }: RecordFacts): void {
    if (chain.length === 0) return;
    const name = action ?? 'no action named';
    const key = JSON.stringify([name, ...chain.flatMap(({ id, type, proof }) => [id, type, proof])]);
    const path = this.#paths.get(key) ?? { members: chain.map(memberOf), action: name, allowed: 0, denied: 0 };
    if (decision === 'allow') path.allowed += 1;
    else path.denied += 1;
    if (this.#paths.size < mostPaths || this.#paths.has(key)) this.#paths.set(key, path);
    else this.#others += 1;
  }

  /** The most frequent first. */
  list(): readonly ChainPath[] {
    return [...this.#paths.values()].toSorted((a, b) => b.allowed + b.denied - a.allowed - a.denied);
  }
}

function memberOf({ id, type, proof }: Member): Member {
  return { id, type, proof };
}
