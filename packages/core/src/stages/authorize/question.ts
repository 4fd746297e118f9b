import { closeScope, type ScopeMatch, ScopeVocabulary } from '@countersign/delegation';
import type { Caller } from '../../model/caller.js';
import type { RequestFacts } from '../../model/request.js';
import type { MatchingDetails, PolicyQuery } from '@countersign/policy';

/** A question to policy before it is put about a resource. */
export type Question = Omit<PolicyQuery, 'resource'>;

/** What a question is put together from. */
export interface Asked {
  readonly caller: Caller;
  readonly action: string;
  /** The scope that the route names. */
  readonly requires: string | undefined;
  readonly facts: RequestFacts;
}

/** What besides the caller shapes a question. */
export interface QuestionTerms {
  readonly details: MatchingDetails | undefined;
  readonly vocabulary: readonly string[];
  readonly scopeMatch: ScopeMatch;
}

/** By its chain: an id alone may be another issuer's name for somebody else. */
export function actsForItself({ chain }: Caller): boolean {
  return chain.length === 1;
}

const prepared = new WeakMap<readonly string[], ScopeVocabulary>();

function preparedFrom(vocabulary: readonly string[]): ScopeVocabulary {
  const known = prepared.get(vocabulary) ?? new ScopeVocabulary(vocabulary);
  prepared.set(vocabulary, known);
  return known;
}

/** May the actor, so delegated, do this? */
export function actorQuestion(
  { caller, action, requires, facts }: Asked,
  { details, vocabulary, scopeMatch }: QuestionTerms,
): Question {
  const { actor, subject, chain, scope, proof } = caller;
  const covered = preparedFrom(vocabulary).coveredBy(scope, scopeMatch);
  const known = [...covered, ...actor.capabilities, ...(requires === undefined ? [] : [requires])];
  return {
    principal: {
      id: actor.id,
      roles: actor.roles,
      capabilities: actor.capabilities,
      ...(actor.owner === undefined ? {} : { owner: actor.owner }),
    },
    action,
    context: {
      scope: closeScope(scope, known, scopeMatch),
      ...(actsForItself(caller) ? {} : { [subject.type === 'user' ? 'onBehalfOf' : 'onBehalfOfAgent']: subject.id }),
      depth: chain.length - 1,
      via: chain.slice(1, -1).map(({ id }) => id),
      proof: chain.at(-1)?.proof ?? 'signature',
      possession: proof.kind,
      ...(details === undefined ? {} : { authorizationDetails: details }),
      request: { method: facts.method ?? '', path: facts.path ?? '' },
    },
  };
}

/**
 * May the subject do it itself? Asked with the same scope and details, about the same request, as if it had come alone:
 * nobody between, on nobody's behalf, proved as the first hop was.
 */
export function subjectQuestion(asked: Asked, terms: QuestionTerms, principal: PolicyQuery['principal']): Question {
  const { onBehalfOf: _user, onBehalfOfAgent: _agent, ...context } = actorQuestion(asked, terms).context;
  const [{ proof }] = asked.caller.chain;
  return { principal, action: asked.action, context: { ...context, depth: 0, via: [], proof } };
}
