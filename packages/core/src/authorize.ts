import { closeScope, type ScopeMatch, scopeCovers } from '@countersign/delegation';
import type { DecidedAction, Recorder } from './audit/recorder.js';
import type { Caller } from './caller.js';
import type { Authorization, Permission } from './guard.js';
import type { RequestFacts } from './http/request-facts.js';
import { matchingDetails } from './matching-details.js';
import type { MatchingDetails, PolicyDecision, PolicyEngine, PolicyQuery } from './policy/engine.js';
import { type Refusal, refusal } from './refusal.js';
import type { AdmittedRequest, RequestRegister } from './request-register.js';
import { textOf } from './text-of.js';

interface AuthorizerParts {
  readonly policy: PolicyEngine;
  readonly recorder: Recorder;
  readonly register: RequestRegister;
  readonly scopeMatch: ScopeMatch;
  /** What this API is called in `authorization_details`. */
  readonly audiences: readonly string[];
}

/** What policy is asked, and what the question is put together from. */
interface Question {
  readonly caller: Caller;
  readonly permission: Permission;
  readonly facts: RequestFacts;
  readonly details: MatchingDetails | undefined;
  readonly scopeMatch: ScopeMatch;
}

/** Asks scope, then policy, and writes the answer down before giving it. */
export function createAuthorizer({
  policy,
  recorder,
  register,
  scopeMatch,
  audiences,
}: AuthorizerParts): (caller: Caller, permission: Permission) => Promise<Authorization> {
  async function decideAndRecord(
    caller: Caller,
    admitted: AdmittedRequest,
    permission: Permission,
  ): Promise<Authorization> {
    const { facts } = admitted;
    const { action, resource, requires } = permission;
    // Asked again: what was revoked since the request was let in counts.
    const revoked = await admitted.standing();
    if (revoked !== undefined) {
      admitted.refused = true;
      return { ok: false, refusal: await recorder.denied(caller, facts, { action, resource }, revoked) };
    }
    if (requires !== undefined && !scopeCovers(caller.scope, requires, scopeMatch)) {
      admitted.refused = true;
      const refused = refusal('insufficient_scope', `${requires} is not covered`, requires);
      return { ok: false, refusal: await recorder.denied(caller, facts, { action, resource }, refused) };
    }

    const details = matchingDetails(caller.authorizationDetails, permission, audiences);
    const exceeded = details !== undefined && 'code' in details;
    const answer = exceeded ? details : await decide(policy, { caller, permission, facts, details, scopeMatch });
    const decided: DecidedAction = { action, resource, ...('code' in answer ? {} : { policy: answer }) };
    if ('code' in answer || answer.decision !== 'allow' || answer.cause !== 'policy') {
      admitted.refused = true;
      return { ok: false, refusal: await recorder.denied(caller, facts, decided, refusalFor(answer)) };
    }
    // No record, no action.
    const unrecorded = await recorder.allowed(caller, facts, decided);
    if (unrecorded === undefined) {
      admitted.allowed = true;
      return { ok: true, decision: answer };
    }
    admitted.refused = true;
    return { ok: false, refusal: unrecorded };
  }

  return async function authorize(caller, permission) {
    const admitted = register.find(caller);
    // A caller is good for one request: once its answer has ended, nothing more is done in its name.
    if (admitted === undefined || admitted.completed) return notServed;
    const work = decideAndRecord(caller, admitted, permission);
    admitted.deciding = Promise.allSettled([admitted.deciding, work]);
    const authorization = await work;
    return authorization.ok && admitted.completed ? notServed : authorization;
  };
}

const notServed: Authorization = {
  ok: false,
  refusal: refusal('not_authenticated', 'no request of this caller is being served'),
};

/** An engine that fails, in whatever way, has not allowed anything. */
async function decide(policy: PolicyEngine, question: Question): Promise<PolicyDecision | Refusal> {
  try {
    const decision = await policy.decide(queryFor(question, policy.scopeVocabulary));
    return isDecision(decision) ? decision : refusal('policy_error', 'the engine gave no decision');
  } catch (error) {
    return refusal('policy_unavailable', textOf(error));
  }
}

function isDecision(value: unknown): value is PolicyDecision {
  if (typeof value !== 'object' || value === null) return false;
  const { decision, cause, policies, errors } = value as Partial<Record<keyof PolicyDecision, unknown>>;
  return (
    (decision === 'allow' || decision === 'deny') &&
    (cause === 'policy' || cause === 'error') &&
    Array.isArray(policies) &&
    Array.isArray(errors)
  );
}

function refusalFor(answer: PolicyDecision | Refusal): Refusal {
  if ('code' in answer) return answer;
  return answer.cause === 'error' ? refusal('policy_error', answer.errors.join('; ')) : refusal('policy_denied');
}

function queryFor(
  { caller, permission, facts, details, scopeMatch }: Question,
  vocabulary: readonly string[],
): PolicyQuery {
  const { actor, subject, chain, scope, proof } = caller;
  const { action, resource, requires } = permission;
  const known = [...vocabulary, ...actor.capabilities, ...(requires === undefined ? [] : [requires])];
  const forItself = subject.type === 'agent' && subject.id === actor.id;
  return {
    principal: {
      id: actor.id,
      roles: actor.roles,
      capabilities: actor.capabilities,
      ...(actor.owner === undefined ? {} : { owner: actor.owner }),
    },
    action,
    resource,
    context: {
      scope: closeScope(scope, known, scopeMatch),
      ...(forItself ? {} : { [subject.type === 'user' ? 'onBehalfOf' : 'onBehalfOfAgent']: subject.id }),
      depth: chain.length - 1,
      via: chain.slice(1, -1).map(({ id }) => id),
      proof: chain.at(-1)?.proof ?? 'signature',
      possession: proof.kind,
      ...(details === undefined ? {} : { authorizationDetails: details }),
      request: { method: facts.method, path: facts.path },
    },
  };
}
