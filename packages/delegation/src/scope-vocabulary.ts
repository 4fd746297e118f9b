import type { Scope, ScopeMatch } from './scope.js';

/**
 * The scopes that somebody knows, made ready to be asked often: what a question takes depends on how many are covered,
 * hardly on how many are known.
 *
 * @example
 * const known = new ScopeVocabulary(['pr', 'pr:write:draft', 'repo:read']);
 * closeScope(['pr:write'], known.coveredBy(['pr:write'])) // ['pr:write', 'pr:write:draft']
 */
export class ScopeVocabulary {
  /** By code unit, so that all that lies below a scope stands together. */
  readonly #sorted: readonly string[];

  constructor(scopes: Iterable<string>) {
    this.#sorted = [...new Set(scopes)].toSorted();
  }

  /** Exactly the known scopes that `scopeCovers` says the held ones cover, each once, in no order. */
  coveredBy(held: Scope, match: ScopeMatch = 'hierarchical'): Scope {
    const covered = new Set<string>();
    for (const scope of held) {
      if (scope === '') continue;
      if (this.#sorted[this.#placeOf(scope)] === scope) covered.add(scope);
      if (match === 'hierarchical') this.#addBelow(`${scope}:`, covered);
    }
    return [...covered];
  }

  #addBelow(prefix: string, covered: Set<string>): void {
    for (let place = this.#placeOf(prefix); ; place++) {
      const known = this.#sorted[place];
      if (known === undefined || !known.startsWith(prefix)) return;
      covered.add(known);
    }
  }

  /** Of the first scope that is not before the wanted one. */
  #placeOf(wanted: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? '') < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
