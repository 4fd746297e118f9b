import { closeScope, scopeCovers } from '@countersign/delegation';
import type { DecidedAction, Recorder } from './audit/recorder.js';
import type { Caller } from './caller.js';
import type { Authorization, Permission } from './guard.js';
import type { RequestFacts } from './http/request-facts.js';
import type { PolicyDecision, PolicyEngine, PolicyQuery } from './policy/engine.js';
import { type Refusal, refusal } from './refusal.js';
import type { RequestRegister } from './request-register.js';

interface AuthorizerParts {
  readonly policy: PolicyEngine;
  readonly recorder: Recorder;
  readonly register: RequestRegister;
}

/** Asks scope, then policy, and writes the answer down before giving it. */
export function createAuthorizer({
  policy,
  recorder,
  register,
}: AuthorizerParts): (caller: Caller, permission: Permission) => Promise<Authorization> {
  return async function authorize(caller, permission) {
    const admitted = register.find(caller);
    if (admitted === undefined) return { ok: false, refusal: refusal('not_authenticated') };
    const { facts } = admitted;
    const { action, resource, requires } = permission;

    if (requires !== undefined && !scopeCovers(caller.scope, requires)) {
      admitted.refused = true;
      const refused = refusal('insufficient_scope', `${requires} is not covered`, requires);
      return { ok: false, refusal: await recorder.denied(caller, facts, { action, resource }, refused) };
    }

    const decision = await decide(policy, queryFor(caller, permission, facts, policy.scopeVocabulary));
    const decided: DecidedAction = { action, resource, ...('code' in decision ? {} : { policy: decision }) };
    const refused = refusalFor(decision);
    if (refused !== undefined) {
      admitted.refused = true;
      return { ok: false, refusal: await recorder.denied(caller, facts, decided, refused) };
    }
    // No record, no action.
    const unrecorded = await recorder.allowed(caller, facts, decided);
    if (unrecorded !== undefined) return { ok: false, refusal: unrecorded };
    admitted.allowed = true;
    return { ok: true, decision: decision as PolicyDecision };
  };
}

async function decide(policy: PolicyEngine, query: PolicyQuery): Promise<PolicyDecision | Refusal> {
  try {
    return await policy.decide(query);
  } catch (error) {
    return refusal('policy_unavailable', String(error));
  }
}

function refusalFor(decision: PolicyDecision | Refusal): Refusal | undefined {
  if ('code' in decision) return decision;
  if (decision.cause === 'error') return refusal('policy_error', decision.errors.join('; '));
  // Anything but a plain allow is a deny.
  return decision.decision === 'allow' ? undefined : refusal('policy_denied');
}

function queryFor(
  { actor, subject, chain, scope }: Caller,
  { action, resource, requires }: Permission,
  { method, path }: RequestFacts,
  vocabulary: readonly string[],
): PolicyQuery {
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
      scope: closeScope(scope, known),
      ...(forItself ? {} : { onBehalfOf: subject.id }),
      depth: chain.length - 1,
      proof: chain.at(-1)?.proof ?? 'signature',
      request: { method, path },
    },
  };
}
