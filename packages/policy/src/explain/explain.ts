import { errorMessage } from '@countersign/common';
import { Hierarchy } from '../cedar/index/hierarchy.js';
import { addReachable } from '../cedar/request/entities.js';
import type { CedarRequest } from '../cedar/request/request.js';
import type { Policy, PolicySet } from '../cedar/load/policy-set.js';
import { entityKey } from '../cedar/index/scope.js';
import type { PolicyDecision, PolicyQuery } from '../engine.js';
import { type Candidate, candidatesFor } from './candidates.js';
import { type Condition, conditionsOf, withoutStrings } from '../cedar/text/conditions.js';
import type { ExplainedRequest, Explanation, NearPermit, PolicyPlace, UnmetCondition } from '../explanation.js';
import { probe, type Verdict } from './probe.js';

/** The inputs and the result of a decision. */
export interface DecisionFacts {
  readonly decision: PolicyDecision;
  readonly query: PolicyQuery;
  /** Undefined if the query could not be translated to Cedar. */
  readonly request: CedarRequest | undefined;
  readonly set: PolicySet;
}

/** Permits whose conditions are evaluated. */
const MAX_CANDIDATES = 40;
/** Permits that are reported. */
const MAX_NEAREST = 3;

/** Explains a decision. Never throws: a failure is added to the errors of the explanation. */
export function explain(facts: DecisionFacts): Explanation {
  const { decision, query, request, set } = facts;
  const base = {
    decision: decision.decision,
    request: requestOf(query, request),
    determining: decision.policies.flatMap((id) => set.policies.filter((policy) => policy.id === id)).map(placeOf),
    errors: decision.errors,
    ...(decision.approval && { approval: decision.approval }),
    nearest: [],
  };
  if (decision.decision === 'allow' || decision.cause === 'error' || request === undefined) return base;
  try {
    return { ...base, nearest: nearestPermits(request, set) };
  } catch (thrown) {
    return { ...base, errors: [...base.errors, `the denial cannot be explained further: ${errorMessage(thrown)}`] };
  }
}

function nearestPermits(original: CedarRequest, { policies, entities: known, schema }: PolicySet): NearPermit[] {
  const entities = [...original.entities];
  addReachable(entities, known.keys(), known);
  const request = { ...original, entities };
  const resolved = new Hierarchy(entities, schema?.actionGroups ?? new Map()).resolve(request);
  const candidates = candidatesFor(policies, resolved, MAX_CANDIDATES).map((candidate) => ({
    ...candidate,
    conditions: conditionsOf(candidate.policy.text),
  }));
  const verdicts = probe(
    request,
    candidates.flatMap(({ conditions }) => conditions),
    schema?.text,
  );
  let next = 0;
  const permits = candidates.map((candidate) => {
    const own = verdicts.slice(next, (next += candidate.conditions.length));
    return nearPermit(candidate, candidate.conditions, own);
  });
  const forThisAction = permits.filter(({ unmet }) => unmet.every(({ about }) => about !== 'action'));
  // Permits for other actions help only if there is none for this action.
  return (forThisAction.length > 0 ? forThisAction : permits)
    .toSorted((one, other) => one.unmet.length - other.unmet.length)
    .slice(0, MAX_NEAREST);
}

function nearPermit(
  { policy, unmet: unmetScope }: Candidate,
  conditions: readonly Condition[],
  verdicts: readonly Verdict[],
): NearPermit {
  const unmet: UnmetCondition[] = [...unmetScope];
  for (const [index, { clause, text, line }] of conditions.entries()) {
    const verdict = verdicts[index];
    if (verdict === undefined || verdict.kind === (clause === 'when' ? 'true' : 'false')) continue;
    // An unmet condition before it may guard it: Cedar would not have evaluated this one.
    if (verdict.kind === 'error' && unmet.length > 0) continue;
    unmet.push({
      about: aboutOf(text),
      clause,
      text,
      line: policy.line + line,
      ...(verdict.kind === 'error' ? { error: verdict.error } : {}),
    });
  }
  return { ...placeOf(policy), unmet };
}

function placeOf({ id, effect, file, line }: Policy): PolicyPlace {
  return { id, effect, file, line };
}

function requestOf(query: PolicyQuery, request: CedarRequest | undefined): ExplainedRequest {
  // An untyped caller can pass any value, and the explanation must not throw on it.
  if (request === undefined) return { actor: '', roles: [], action: '', resource: '', scope: [] };
  const { onBehalfOf, onBehalfOfAgent, scope } = query.context;
  const subject =
    onBehalfOf === undefined
      ? onBehalfOfAgent && entityKey({ type: 'Agent', id: onBehalfOfAgent })
      : entityKey({ type: 'User', id: onBehalfOf });
  return {
    actor: entityKey(request.principal),
    roles: [...query.principal.roles],
    ...(subject === undefined ? {} : { subject }),
    action: query.action,
    resource: entityKey(request.resource),
    scope: [...scope],
  };
}

/** Classifies a condition by the variables that it reads. */
function aboutOf(text: string): UnmetCondition['about'] {
  const read = withoutStrings(text);
  if (/\bapproval\b/.test(read)) return 'approval';
  if (/\bcontext\s*\.\s*scope\b/.test(read)) return 'scope';
  if (/\bonBehalfOf(?:Agent)?\b/.test(read)) return 'subject';
  if (/\bresource\b/.test(read)) return 'resource';
  if (/\bprincipal\b/.test(read)) return 'actor';
  return 'other';
}
