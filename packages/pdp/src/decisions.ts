import type { PolicyDecision } from '@countersign/policy';

/** What policy decided. */
export function decided(allow: boolean, policySet: string, policies: readonly string[] = []): PolicyDecision {
  return { decision: allow ? 'allow' : 'deny', cause: 'policy', policies, policySet, errors: [] };
}

/** A deny, because no decision came of it. */
export function undecided(problem: string, policySet: string): PolicyDecision {
  return { decision: 'deny', cause: 'error', policies: [], policySet, errors: [problem] };
}
