import { eachInTurn, type Turns } from '@countersign/common';
import { type Constraint, holds, type ResolvedEntity, type PolicyScope } from './scope.js';

/** Principal, action and resource of a request, with their ancestors. */
export interface ResolvedRequest {
  readonly principal: ResolvedEntity;
  readonly action: ResolvedEntity;
  readonly resource: ResolvedEntity;
}

const VARIABLES = ['principal', 'action', 'resource'] as const;
type Variable = (typeof VARIABLES)[number];

/**
 * Finds the policies whose scope holds for a request in time that does not grow with the others. Each policy is indexed
 * by its most selective constraint, so that a role, action or resource that all policies name costs nothing.
 */
export class PolicyIndex {
  readonly #scopes: readonly PolicyScope[];
  readonly #entries = new ByConstraint<number[]>();
  readonly #unconstrained: number[] = [];

  private constructor(scopes: readonly PolicyScope[]) {
    this.#scopes = scopes;
  }

  static async of(scopes: readonly PolicyScope[], turns: Turns): Promise<PolicyIndex> {
    const index = new PolicyIndex(scopes);
    const counts = await countByConstraint(scopes, turns);
    await eachInTurn(scopes.entries(), turns, ([number, scope]) => index.#add(number, mostSelective(scope, counts)));
    return index;
  }

  /** The numbers of the matching policies, ascending. */
  matching(request: ResolvedRequest): number[] {
    const found = new Set(this.#unconstrained);
    for (const variable of VARIABLES) {
      const { key, type, ancestors } = request[variable];
      const { equals, is, in: groups } = this.#entries[variable];
      addAll(found, equals.get(key));
      addAll(found, is.get(type));
      for (const ancestor of ancestors) addAll(found, groups.get(ancestor));
    }
    return [...found].filter((number) => this.#holds(number, request)).toSorted((a, b) => a - b);
  }

  #add(number: number, key: IndexKey | undefined): void {
    if (key === undefined) {
      this.#unconstrained.push(number);
      return;
    }
    const entries = this.#entries[key.variable][key.relation];
    for (const name of key.names) {
      const numbers = entries.get(name);
      if (numbers === undefined) entries.set(name, [number]);
      else numbers.push(number);
    }
  }

  #holds(number: number, request: ResolvedRequest): boolean {
    const scope = this.#scopes[number];
    return scope !== undefined && VARIABLES.every((variable) => holds(scope[variable], request[variable]));
  }
}

function addAll(found: Set<number>, numbers: readonly number[] | undefined): void {
  for (const number of numbers ?? []) found.add(number);
}

/** One map of names for each variable and relation, as a name is unique only within them. */
class ByConstraint<Value> {
  readonly principal = mapsByRelation<Value>();
  readonly action = mapsByRelation<Value>();
  readonly resource = mapsByRelation<Value>();
}

function mapsByRelation<Value>(): Readonly<Record<keyof Constraint, Map<string, Value>>> {
  return { equals: new Map(), is: new Map(), in: new Map() };
}

/** The entries under which a constraint is indexed. */
interface IndexKey {
  readonly variable: Variable;
  readonly relation: keyof Constraint;
  readonly names: readonly string[];
}

/** Undefined if the constraint is empty. */
function keyOf(variable: Variable, { equals, is, in: groups }: Constraint): IndexKey | undefined {
  if (equals !== undefined) return { variable, relation: 'equals', names: [equals] };
  if (groups !== undefined) return { variable, relation: 'in', names: groups };
  return is === undefined ? undefined : { variable, relation: 'is', names: [is] };
}

async function countByConstraint(scopes: readonly PolicyScope[], turns: Turns): Promise<ByConstraint<number>> {
  const counts = new ByConstraint<number>();
  await eachInTurn(scopes, turns, (scope) => {
    for (const variable of VARIABLES) {
      const key = keyOf(variable, scope[variable]);
      if (key === undefined) continue;
      const count = counts[variable][key.relation];
      for (const name of key.names) count.set(name, (count.get(name) ?? 0) + 1);
    }
  });
  return counts;
}

function mostSelective(scope: PolicyScope, counts: ByConstraint<number>): IndexKey | undefined {
  let best: IndexKey | undefined;
  let fewest = Infinity;
  for (const variable of VARIABLES) {
    const key = keyOf(variable, scope[variable]);
    if (key === undefined) continue;
    const count = counts[variable][key.relation];
    const shared = key.names.reduce((sum, name) => sum + (count.get(name) ?? 0), 0);
    if (shared >= fewest) continue;
    best = key;
    fewest = shared;
  }
  return best;
}
