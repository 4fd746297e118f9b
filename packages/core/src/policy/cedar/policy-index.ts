import { type Constraint, holds, type PlacedEntity, type PolicyScope } from './scope.js';

/** Principal, action and resource of a request, with all that they are in. */
export interface PlacedRequest {
  readonly principal: PlacedEntity;
  readonly action: PlacedEntity;
  readonly resource: PlacedEntity;
}

const VARIABLES = ['principal', 'action', 'resource'] as const;
type Variable = (typeof VARIABLES)[number];

/**
 * Finds the policies whose scope holds for a request, without looking at the others. Each policy is filed under the one
 * of its constraints that the fewest share, so that a role, an action or a resource named by all costs nothing.
 */
export class PolicyIndex {
  readonly #scopes: readonly PolicyScope[];
  readonly #filed = new Map<string, number[]>();
  /** Those that ask for nothing in particular. */
  readonly #common: number[] = [];

  constructor(scopes: readonly PolicyScope[]) {
    this.#scopes = scopes;
    const counts = countKeys(scopes);
    for (const [number, scope] of scopes.entries()) this.#file(number, rarest(scope, counts));
  }

  /** The numbers of the policies, ascending. */
  matching(request: PlacedRequest): number[] {
    const found = new Set(this.#common);
    for (const variable of VARIABLES) {
      const { key, type, ancestors } = request[variable];
      this.#add(found, keyOf(variable, '=', key));
      this.#add(found, keyOf(variable, ':', type));
      for (const ancestor of ancestors) this.#add(found, keyOf(variable, '^', ancestor));
    }
    return [...found].filter((number) => this.#holds(number, request)).toSorted((a, b) => a - b);
  }

  #file(number: number, keys: readonly string[] | undefined): void {
    if (keys === undefined) this.#common.push(number);
    for (const key of keys ?? []) {
      const filed = this.#filed.get(key);
      if (filed === undefined) this.#filed.set(key, [number]);
      else filed.push(number);
    }
  }

  #add(found: Set<number>, key: string): void {
    for (const number of this.#filed.get(key) ?? []) found.add(number);
  }

  #holds(number: number, request: PlacedRequest): boolean {
    const scope = this.#scopes[number];
    return scope !== undefined && VARIABLES.every((variable) => holds(scope[variable], request[variable]));
  }
}

/** What a request must look under to find the policy by one of its constraints; undefined if that asks for nothing. */
function keysOf(variable: Variable, { equals, is, in: groups }: Constraint): string[] | undefined {
  if (equals !== undefined) return [keyOf(variable, '=', equals)];
  if (groups !== undefined) return groups.map((group) => keyOf(variable, '^', group));
  return is === undefined ? undefined : [keyOf(variable, ':', is)];
}

function keyOf(variable: Variable, relation: '=' | '^' | ':', what: string): string {
  return `${variable}${relation}${what}`;
}

function countKeys(scopes: readonly PolicyScope[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const scope of scopes) {
    for (const variable of VARIABLES) {
      for (const key of keysOf(variable, scope[variable]) ?? []) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

function rarest(scope: PolicyScope, counts: ReadonlyMap<string, number>): readonly string[] | undefined {
  let best: readonly string[] | undefined;
  let fewest = Infinity;
  for (const variable of VARIABLES) {
    const keys = keysOf(variable, scope[variable]);
    const shared = keys?.reduce((sum, key) => sum + (counts.get(key) ?? 0), 0) ?? Infinity;
    if (keys === undefined || shared >= fewest) continue;
    best = keys;
    fewest = shared;
  }
  return best;
}
