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
  readonly #filed = new Cabinet<number[]>();
  /** Those that ask for nothing in particular. */
  readonly #common: number[] = [];

  constructor(scopes: readonly PolicyScope[]) {
    this.#scopes = scopes;
    const counts = countNames(scopes);
    for (const [number, scope] of scopes.entries()) this.#file(number, rarest(scope, counts));
  }

  /** The numbers of the policies, ascending. */
  matching(request: PlacedRequest): number[] {
    const found = new Set(this.#common);
    for (const variable of VARIABLES) {
      const { key, type, ancestors } = request[variable];
      const { equals, is, in: groups } = this.#filed[variable];
      addAll(found, equals.get(key));
      addAll(found, is.get(type));
      for (const ancestor of ancestors) addAll(found, groups.get(ancestor));
    }
    return [...found].filter((number) => this.#holds(number, request)).toSorted((a, b) => a - b);
  }

  #file(number: number, filing: Filing | undefined): void {
    if (filing === undefined) {
      this.#common.push(number);
      return;
    }
    const drawer = this.#filed[filing.variable][filing.relation];
    for (const name of filing.names) {
      const filed = drawer.get(name);
      if (filed === undefined) drawer.set(name, [number]);
      else filed.push(number);
    }
  }

  #holds(number: number, request: PlacedRequest): boolean {
    const scope = this.#scopes[number];
    return scope !== undefined && VARIABLES.every((variable) => holds(scope[variable], request[variable]));
  }
}

function addAll(found: Set<number>, numbers: readonly number[] | undefined): void {
  for (const number of numbers ?? []) found.add(number);
}

/** Something for each name that a constraint can have; a name is not unique beyond its variable and relation. */
class Cabinet<Value> {
  readonly principal = drawers<Value>();
  readonly action = drawers<Value>();
  readonly resource = drawers<Value>();
}

function drawers<Value>(): Readonly<Record<keyof Constraint, Map<string, Value>>> {
  return { equals: new Map(), is: new Map(), in: new Map() };
}

/** What a request must look under to find the policy by one of its constraints. */
interface Filing {
  readonly variable: Variable;
  readonly relation: keyof Constraint;
  readonly names: readonly string[];
}

/** Undefined if the constraint asks for nothing. */
function filingOf(variable: Variable, { equals, is, in: groups }: Constraint): Filing | undefined {
  if (equals !== undefined) return { variable, relation: 'equals', names: [equals] };
  if (groups !== undefined) return { variable, relation: 'in', names: groups };
  return is === undefined ? undefined : { variable, relation: 'is', names: [is] };
}

function countNames(scopes: readonly PolicyScope[]): Cabinet<number> {
  const counts = new Cabinet<number>();
  for (const scope of scopes) {
    for (const variable of VARIABLES) {
      const filing = filingOf(variable, scope[variable]);
      if (filing === undefined) continue;
      const drawer = counts[variable][filing.relation];
      for (const name of filing.names) drawer.set(name, (drawer.get(name) ?? 0) + 1);
    }
  }
  return counts;
}

function rarest(scope: PolicyScope, counts: Cabinet<number>): Filing | undefined {
  let best: Filing | undefined;
  let fewest = Infinity;
  for (const variable of VARIABLES) {
    const filing = filingOf(variable, scope[variable]);
    if (filing === undefined) continue;
    const drawer = counts[variable][filing.relation];
    const shared = filing.names.reduce((sum, name) => sum + (drawer.get(name) ?? 0), 0);
    if (shared >= fewest) continue;
    best = filing;
    fewest = shared;
  }
  return best;
}
