import type { Cedar } from '../instance/instance.js';
import { groupsIn, joinReads, type PolicyReads, readsOf } from './policy-reads.js';
import type { Policy } from '../load/policy-set.js';
import { errorText } from '../instance/error-text.js';

/** Policies that are preparsed and evaluated together: those whose scope holds for a request. */
export interface PolicySubset {
  /** Unique, so that cached evaluations of two subsets cannot be confused. */
  readonly serial: number;
  /** The name of the preparsed set in the instance. */
  readonly slot: string;
  readonly policies: readonly Policy[];
  readonly reads: PolicyReads;
  /** The groups that the scopes name. */
  readonly groups: ReadonlySet<string>;
}

/** A subset takes about 2 KiB of the instance's memory for each policy. */
const MAX_SUBSETS = 2048;
const MAX_POLICIES = 16_384;
/** Up to so many policies, the number of subsets is the bound that holds. */
const MAX_WHOLE = MAX_POLICIES / MAX_SUBSETS;

/**
 * The matching policies in parts that are evaluated apart. Each agent, action and resource may have a few policies of its
 * own: many policies with the same scope are a part of their own, so that they are not parsed again with each of these.
 */
export function partsOf(matching: readonly number[], policies: readonly Policy[]): readonly (readonly number[])[] {
  if (matching.length <= MAX_WHOLE) return [matching];
  const alike = new Map<string, number[]>();
  for (const number of matching) {
    const scope = writtenScope(policies[number]);
    const group = alike.get(scope);
    if (group === undefined) alike.set(scope, [number]);
    else group.push(number);
  }
  const groups = [...alike.values()];
  const few = groups.filter(({ length }) => length <= MAX_WHOLE).flat();
  const many = groups.filter(({ length }) => length > MAX_WHOLE);
  return few.length === 0 ? many : [few.toSorted((one, other) => one - other), ...many];
}

const writtenScopes = new WeakMap<Policy, string>();

function writtenScope(policy: Policy | undefined): string {
  if (policy === undefined) return '';
  const known = writtenScopes.get(policy);
  if (known !== undefined) return known;
  const written = JSON.stringify([policy.scope.principal, policy.scope.action, policy.scope.resource]);
  writtenScopes.set(policy, written);
  return written;
}

/** Cached, as Cedar's JSON of a policy takes about a third of a millisecond. */
const readsByPolicy = new WeakMap<Policy, PolicyReads>();

/**
 * The subsets that are preparsed in one instance, least recently used first. Instance memory never shrinks and the
 * library has no call to remove a set, so that the slot of an evicted subset is overwritten.
 */
export class PolicySubsets {
  readonly #cedar: Cedar;
  readonly #policies: readonly Policy[];
  readonly #maxSubsets: number;
  readonly #maxPolicies: number;
  /** By policy numbers. */
  readonly #held = new Map<string, PolicySubset>();
  readonly #free: string[] = [];
  #count = 0;
  #serial = 0;
  #slots = 0;

  constructor(
    cedar: Cedar,
    policies: readonly Policy[],
    maxSubsets: number = MAX_SUBSETS,
    maxPolicies: number = MAX_POLICIES,
  ) {
    this.#cedar = cedar;
    this.#policies = policies;
    this.#maxSubsets = maxSubsets;
    this.#maxPolicies = maxPolicies;
  }

  /** @throws Error if Cedar refuses policies that it accepted at load. */
  take(numbers: readonly number[]): PolicySubset {
    const key = numbers.join(',');
    const held = this.#held.get(key);
    if (held !== undefined) {
      this.#held.delete(key);
      this.#held.set(key, held);
      return held;
    }
    this.#makeRoom(numbers.length);
    const subset = this.#preparse(numbers);
    this.#held.set(key, subset);
    this.#count += subset.policies.length;
    return subset;
  }

  #makeRoom(wanted: number): void {
    for (const [key, { slot, policies }] of this.#held) {
      if (this.#held.size < this.#maxSubsets && this.#count + wanted <= this.#maxPolicies) return;
      this.#held.delete(key);
      this.#count -= policies.length;
      this.#cedar.preparsePolicySet(slot, { staticPolicies: '' });
      this.#free.push(slot);
    }
  }

  #preparse(numbers: readonly number[]): PolicySubset {
    const policies = numbers.map((number) => this.#policies[number]).filter((policy) => policy !== undefined);
    const slot = this.#free.pop() ?? `subset${this.#slots++}`;
    // Cedar parses one text twice as fast as policies with ids.
    const staticPolicies = policies.map(({ text }) => text).join('\n');
    const answer = this.#cedar.preparsePolicySet(slot, { staticPolicies });
    if (answer.type === 'failure') {
      this.#free.push(slot);
      throw new Error(answer.errors.map((error) => errorText(error)).join('; '));
    }
    const reads = joinReads(policies.map((policy) => this.#readsOf(policy)));
    return { serial: this.#serial++, slot, policies, reads, groups: groupsIn(policies.map(({ scope }) => scope)) };
  }

  #readsOf(policy: Policy): PolicyReads {
    const known = readsByPolicy.get(policy);
    if (known !== undefined) return known;
    const answer = this.#cedar.policyToJson(policy.text);
    if (answer.type === 'failure') throw new Error(answer.errors.map((error) => errorText(error)).join('; '));
    const reads = readsOf(answer.json);
    readsByPolicy.set(policy, reads);
    return reads;
  }
}
