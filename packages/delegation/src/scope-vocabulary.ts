import type { Scope, ScopeMatch } from './scope.js';

/**
 * An index of the known scopes. The cost of a lookup depends on the number of covered scopes, hardly on the number of
 * known ones.
 *
 * @example
 * const known = new ScopeVocabulary(['pr', 'pr:write:draft', 'repo:read']);
 * closeScope(['pr:write'], known.coveredBy(['pr:write'])) // ['pr:write', 'pr:write:draft']
 */
export class ScopeVocabulary {
  /** Sorted by code unit, so that the scopes below a scope are adjacent. */
  readonly #sorted: readonly string[];

  constructor(scopes: Iterable<string>) {
    this.#sorted = [...new Set(scopes)].toSorted();
  }

  /** The known scopes that the held ones cover (see `scopeCovers`), each once, in no order. */
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

  /** Index of the first scope that does not sort before the wanted one. */
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
