import type { ScopeMatch } from '@countersign/delegation';
import type { Caller } from '../../model/caller.js';
import type { RequestFacts } from '../../model/request.js';
import type { MatchingDetails, PolicyQuery } from '@countersign/policy';
import { callerQuestion } from './caller-question.js';

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

/** May the actor, so delegated, do this? */
export function actorQuestion(
  { caller, action, requires, facts }: Asked,
  { details, vocabulary, scopeMatch }: QuestionTerms,
): Question {
  const { principal, context } = callerQuestion(caller, { requires, vocabulary, scopeMatch });
  return {
    principal,
    action,
    context: {
      ...context,
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
