import { deepFreeze } from '@countersign/common';
import type { Policy } from '../load/policy-set.js';
import { approvalFor, type Evaluation } from './evaluation.js';

/** The policies by id, if one of them expires. */
export function expiringIn(policies: readonly Policy[]): ReadonlyMap<string, Policy> | undefined {
  const expires = policies.some(({ expiresAt }) => expiresAt !== undefined);
  return expires ? new Map(policies.map((policy) => [policy.id, policy])) : undefined;
}

/**
 * An evaluation without the permits whose time is over. Evaluations are remembered, so this is asked for each decision; a set
 * in which nothing expires never gets here.
 */
export function unexpired(
  evaluation: Evaluation,
  policies: ReadonlyMap<string, Policy>,
  clock: () => number,
): Evaluation {
  if (!evaluation.ok || evaluation.decision === 'deny') return evaluation;
  const now = clock() / 1000;
  const inForce = evaluation.policies.filter((id) => now < (policies.get(id)?.expiresAt ?? Number.POSITIVE_INFINITY));
  if (inForce.length === evaluation.policies.length) return evaluation;
  if (inForce.length === 0) return deepFreeze({ ok: true, decision: 'deny', policies: [], approval: undefined });
  const approval = approvalFor(inForce.map((id) => policies.get(id)?.approval));
  return deepFreeze({ ok: true, decision: 'allow', policies: inForce, approval });
}
