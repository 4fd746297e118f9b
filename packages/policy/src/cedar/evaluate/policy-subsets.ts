import type { Cedar } from '../instance/instance.js';
import { groupsIn, joinReads, type PolicyReads, readsOf } from './policy-reads.js';
import type { Policy } from '../load/policy-set.js';
import { describe } from '../instance/error-text.js';

/** Policies that are preparsed together. */
export interface PolicySubset {
  /** Never given twice, so that what is remembered of one slice is not taken for another's. */
  readonly serial: number;
  /** Where it stands in the instance. */
  readonly slot: string;
  readonly policies: readonly Policy[];
  readonly reads: PolicyReads;
  /** The groups that their scopes ask for. */
  readonly groups: ReadonlySet<string>;
}

/** What each policy reads, which takes Cedar a third of a millisecond to tell. */
const readsByPolicy = new WeakMap<Policy, PolicyReads>();

/** About 2 KiB of the instance's memory each. */
const MAX_SLICES = 2048;
const MAX_POLICIES = 16_384;

/**
 * The slices that one instance holds. An instance never gives memory back, and has no call to remove a set, so that the
 * slot of the slice not used for longest is written over.
 */
export class PolicySubsets {
  readonly #cedar: Cedar;
  readonly #policies: readonly Policy[];
  readonly #maxSlices: number;
  readonly #maxPolicies: number;
  /** By the numbers of its policies; the one used last stands last. */
  readonly #held = new Map<string, PolicySubset>();
  readonly #free: string[] = [];
  #count = 0;
  #serial = 0;
  #slots = 0;

  constructor(
    cedar: Cedar,
    policies: readonly Policy[],
    maxSlices: number = MAX_SLICES,
    maxPolicies: number = MAX_POLICIES,
  ) {
    this.#cedar = cedar;
    this.#policies = policies;
    this.#maxSlices = maxSlices;
    this.#maxPolicies = maxPolicies;
  }

  /** @throws Error if Cedar does not take the policies after all. */
  take(numbers: readonly number[]): PolicySubset {
    const key = numbers.join(',');
    const held = this.#held.get(key);
    if (held !== undefined) {
      this.#held.delete(key);
      this.#held.set(key, held);
      return held;
    }
    this.#makeRoom(numbers.length);
    const slice = this.#preparse(numbers);
    this.#held.set(key, slice);
    this.#count += slice.policies.length;
    return slice;
  }

  #makeRoom(wanted: number): void {
    for (const [key, { slot, policies }] of this.#held) {
      if (this.#held.size < this.#maxSlices && this.#count + wanted <= this.#maxPolicies) return;
      this.#held.delete(key);
      this.#count -= policies.length;
      this.#cedar.preparsePolicySet(slot, { staticPolicies: '' });
      this.#free.push(slot);
    }
  }

  #preparse(numbers: readonly number[]): PolicySubset {
    const policies = numbers.map((number) => this.#policies[number]).filter((policy) => policy !== undefined);
    const slot = this.#free.pop() ?? `slice${this.#slots++}`;
    // As one text, which takes Cedar half the time of policies with ids. It calls them policy0, policy1, …
    const staticPolicies = policies.map(({ text }) => text).join('\n');
    const answer = this.#cedar.preparsePolicySet(slot, { staticPolicies });
    if (answer.type === 'failure') {
      this.#free.push(slot);
      throw new Error(answer.errors.map((error) => describe(error)).join('; '));
    }
    const reads = joinReads(policies.map((policy) => this.#readsOf(policy)));
    return { serial: this.#serial++, slot, policies, reads, groups: groupsIn(policies.map(({ scope }) => scope)) };
  }

  #readsOf(policy: Policy): PolicyReads {
    const known = readsByPolicy.get(policy);
    if (known !== undefined) return known;
    const answer = this.#cedar.policyToJson(policy.text);
    if (answer.type === 'failure') throw new Error(answer.errors.map((error) => describe(error)).join('; '));
    const reads = readsOf(answer.json);
    readsByPolicy.set(policy, reads);
    return reads;
  }
}
