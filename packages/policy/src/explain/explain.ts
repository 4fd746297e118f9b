import { errorMessage } from '@countersign/common';
import { Hierarchy } from '../cedar/index/hierarchy.js';
import { addReachable } from '../cedar/request/entities.js';
import type { CedarRequest } from '../cedar/request/request.js';
import type { PlacedRequest } from '../cedar/index/policy-index.js';
import type { Policy, PolicySet } from '../cedar/load/policy-set.js';
import { entityKey } from '../cedar/index/scope.js';
import type { PolicyDecision, PolicyQuery } from '../engine.js';
import { type Candidate, candidatesFor } from './candidates.js';
import { type Condition, conditionsOf, withoutStrings } from '../cedar/text/conditions.js';
import type { ExplainedRequest, Explanation, NearPermit, PolicyPlace, UnmetCondition } from '../explanation.js';
import { probe, type Verdict } from './probe.js';

/** What a decision was made of. */
export interface Explained {
  readonly decision: PolicyDecision;
  readonly query: PolicyQuery;
  /** Undefined where the query could not be put in Cedar's words. */
  readonly request: CedarRequest | undefined;
  readonly set: PolicySet;
}

/** Permits whose conditions are looked at, and those that are told of. */
const CANDIDATES = 40;
const NEAREST = 3;

/** Never throws: what cannot be explained is said among its errors. */
export function explain(explained: Explained): Explanation {
  const { decision, query, request, set } = explained;
  const base = {
    decision: decision.decision,
    request: requestOf(query, request),
    determining: decision.policies.flatMap((id) => set.policies.filter((policy) => policy.id === id)).map(placeOf),
    errors: decision.errors,
    nearest: [],
  };
  if (decision.decision === 'allow' || decision.cause === 'error' || request === undefined) return base;
  try {
    return { ...base, nearest: nearestPermits(request, set) };
  } catch (thrown) {
    return { ...base, errors: [...base.errors, `the denial cannot be explained further: ${errorMessage(thrown)}`] };
  }
}

function nearestPermits(asked: CedarRequest, { policies, entities: known, schema }: PolicySet): NearPermit[] {
  const entities = [...asked.entities];
  addReachable(entities, known.keys(), known);
  const request = { ...asked, entities };
  const hierarchy = new Hierarchy(entities, schema?.actionGroups ?? new Map());
  const placed: PlacedRequest = {
    principal: hierarchy.place(request.principal),
    action: hierarchy.place(request.action),
    resource: hierarchy.place(request.resource),
  };
  const candidates = candidatesFor(policies, placed, CANDIDATES).map((candidate) => ({
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
  // Permits for other actions say something only where there is none for this one.
  return (forThisAction.length > 0 ? forThisAction : permits)
    .toSorted((one, other) => one.unmet.length - other.unmet.length)
    .slice(0, NEAREST);
}

function nearPermit(
  { policy, unmet: unmetHead }: Candidate,
  conditions: readonly Condition[],
  verdicts: readonly Verdict[],
): NearPermit {
  const unmet: UnmetCondition[] = [...unmetHead];
  for (const [place, { clause, text, line }] of conditions.entries()) {
    const verdict = verdicts[place];
    if (verdict === undefined || verdict.kind === (clause === 'when' ? 'true' : 'false')) continue;
    // What stands before it may be what guards it: Cedar would not have come so far.
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
  // A query of another shape than its type must not end an explanation with a throw.
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

/** What a condition asks about, by what it reads. */
function aboutOf(text: string): UnmetCondition['about'] {
  const read = withoutStrings(text);
  if (/\bapproval\b/.test(read)) return 'approval';
  if (/\bcontext\s*\.\s*scope\b/.test(read)) return 'scope';
  if (/\bonBehalfOf(?:Agent)?\b/.test(read)) return 'subject';
  if (/\bresource\b/.test(read)) return 'resource';
  if (/\bprincipal\b/.test(read)) return 'actor';
  return 'other';
}
