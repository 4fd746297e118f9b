import { bytesHeld, deepFreeze } from '@countersign/common';
import { closeScope, type Scope, type ScopeMatch, ScopeVocabulary } from '@countersign/delegation';
import type { MatchingDetails, PolicyContext, PolicyQuery } from '@countersign/policy';
import type { Caller } from '../../model/caller.js';
import type { RequestFacts } from '../../model/request.js';
import { chargeSession, meantIn } from '../chain/sessions.js';

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

/** The part of a question that is the same for the callers of a session. Frozen, so that an engine can keep it. */
export interface CallerQuestion {
  readonly principal: PolicyQuery['principal'];
  readonly context: Omit<PolicyContext, 'authorizationDetails' | 'request'>;
}

/** What besides the session shapes it. */
export interface CallerQuestionTerms {
  /** The scope that the route names. */
  readonly requires: string | undefined;
  readonly vocabulary: readonly string[];
  readonly scopeMatch: ScopeMatch;
}

interface Known extends CallerQuestionTerms, Pick<Caller, 'actor' | 'subject' | 'chain'> {
  readonly possession: Caller['proof']['kind'];
  readonly question: CallerQuestion;
  readonly bytes: number;
}

/** Most questions kept of a session: an application may make up scopes for each request. */
const maxOfSession = 16;

/** By the scope, which the callers of a session share. */
const known = new WeakMap<Scope, readonly Known[]>();

export function callerQuestion(caller: Caller, terms: CallerQuestionTerms): CallerQuestion {
  const { actor, subject, chain, scope, proof } = caller;
  const ofSession = known.get(scope) ?? [];
  const last = ofSession.find(
    (one) =>
      one.requires === terms.requires &&
      one.vocabulary === terms.vocabulary &&
      one.scopeMatch === terms.scopeMatch &&
      one.possession === proof.kind &&
      one.actor === actor &&
      one.subject === subject &&
      one.chain === chain,
  );
  if (last !== undefined) return last.question;
  const question = newQuestion(caller, terms);
  // A caller that the guard made is frozen. What can change must not be kept.
  if (Object.isFrozen(caller)) {
    const { requires, vocabulary, scopeMatch } = terms;
    const bytes = bytesHeld({ requires, ...question });
    const added = { requires, vocabulary, scopeMatch, possession: proof.kind, actor, subject, chain, question, bytes };
    known.set(scope, [added, ...ofSession.slice(0, maxOfSession - 1)]);
    chargeSession(scope, bytes - (ofSession[maxOfSession - 1]?.bytes ?? 0));
  }
  return question;
}

function newQuestion(caller: Caller, { requires, vocabulary, scopeMatch }: CallerQuestionTerms): CallerQuestion {
  const { actor, subject, chain, scope, proof } = caller;
  const meant = meantIn(chain);
  const covered = preparedFrom(vocabulary).coveredBy(scope, scopeMatch);
  const named = [...covered, ...actor.capabilities, ...(requires?.split(' ') ?? [])];
  return deepFreeze({
    principal: {
      id: actor.id,
      roles: [...actor.roles],
      capabilities: [...actor.capabilities],
      ...(actor.owner === undefined ? {} : { owner: actor.owner }),
    },
    context: {
      scope: [...closeScope(scope, named, scopeMatch)],
      ...(actsForItself(caller) ? {} : { [subject.type === 'user' ? 'onBehalfOf' : 'onBehalfOfAgent']: subject.id }),
      depth: chain.length - 1,
      via: [
        ...chain.slice(1, -1).map(({ id }) => id),
        ...meant.between.values(),
        // `onBehalfOfAgent` may let a permit hold, for which its issuer must not speak. This can only forbid.
        ...(actsForItself(caller) ? [] : meant.subject),
      ],
      proof: weakestProof(chain),
      possession: proof.kind,
    },
  });
}

/** Of all hops, so that a further agent, which signs its link, cannot make a chain of an issuer look like one of signatures. */
function weakestProof(chain: Caller['chain']): Caller['chain'][number]['proof'] {
  return chain.find(({ proof }) => proof === 'issuer')?.proof ?? chain.at(-1)?.proof ?? 'signature';
}

/** By its chain: an id alone may be another issuer's name for somebody else. */
export function actsForItself({ chain }: Caller): boolean {
  return chain.length === 1;
}

const prepared = new WeakMap<readonly string[], ScopeVocabulary>();

function preparedFrom(vocabulary: readonly string[]): ScopeVocabulary {
  const ready = prepared.get(vocabulary) ?? new ScopeVocabulary(vocabulary);
  prepared.set(vocabulary, ready);
  return ready;
}
