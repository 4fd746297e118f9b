import type { PolicyDecision } from '@countersign/policy';

/** The decision of a policy. */
export function decided(allow: boolean, policySet: string, policies: readonly string[] = []): PolicyDecision {
  return { decision: allow ? 'allow' : 'deny', cause: 'policy', policies, policySet, errors: [] };
}

/** A deny because there is no decision. */
export function undecided(problem: string, policySet: string): PolicyDecision {
  return { decision: 'deny', cause: 'error', policies: [], policySet, errors: [problem] };
}
