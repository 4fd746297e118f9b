import { matchingDetails } from './matching-details.js';
import type { RequestFacts } from '../../model/request.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import { askEngine } from './ask-engine.js';
import { andThen, type Awaitable, eachInTurn, mapConcurrent, yieldEvery } from '@countersign/common';
import type { MatchingDetails, Resource } from '@countersign/policy';
import { createEntityResolver, type EntityResolverParts } from './entity-provider.js';
import { type Verdict, verdictOf } from './verdict.js';
import { actorQuestion, type Asked } from './question.js';
import { createSubjectCheck, type SubjectCheckParts } from './subject-check.js';

export interface EvaluatorParts extends SubjectCheckParts, EntityResolverParts {
  /** What the API that a request is for is called in `authorization_details`. */
  readonly locationsFor: (facts: RequestFacts) => readonly string[];
}

/**
 * Evaluates one action on each resource, in their order: by the details of the delegation, then by policy. Never
 * rejects.
 */
export type Evaluator = (asked: Asked, resources: readonly Resource[]) => Awaitable<readonly Verdict[]>;

/** A resource that policy can be asked about, or why it cannot. */
type Prepared =
  | { readonly details: MatchingDetails | undefined; readonly resource: Resource }
  | { readonly refused: Refusal };

/** Resources that the delegation limits alike: one question for all of them. */
interface Group {
  readonly details: MatchingDetails | undefined;
  readonly places: number[];
  readonly resources: Resource[];
}

export function createEvaluator(parts: EvaluatorParts): Evaluator {
  const { scopeMatch, locationsFor } = parts;
  const checkSubject = createSubjectCheck(parts);
  const resolve = createEntityResolver(parts);

  function evaluateGroup(
    asked: Asked,
    { details, resources }: Pick<Group, 'details' | 'resources'>,
  ): Awaitable<readonly Verdict[]> {
    const question = (vocabulary: readonly string[]) => actorQuestion(asked, { details, vocabulary, scopeMatch });
    return andThen(askEngine(parts, question, resources), (answers) =>
      checkSubject(asked, { details, resources, verdicts: answers.map(verdictOf) }),
    );
  }

  function prepare({ caller, action, facts }: Asked, resource: Resource): Awaitable<Prepared> {
    const details = matchingDetails(caller.authorizationDetails, { action, resource }, locationsFor(facts));
    if (details !== undefined && 'code' in details) return { refused: details };
    return andThen(resolve(facts, resource), (resolved) =>
      'refused' in resolved ? resolved : { details, resource: resolved.resource },
    );
  }

  function evaluateOne(asked: Asked, resource: Resource): Awaitable<readonly Verdict[]> {
    return andThen(prepare(asked, resource), (one) =>
      'refused' in one
        ? [{ permitted: false, refused: one.refused }]
        : evaluateGroup(asked, { details: one.details, resources: [one.resource] }),
    );
  }

  async function evaluateList(asked: Asked, resources: readonly Resource[]): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    const groups = new Map<string, Group>();
    let outage: Extract<Prepared, { readonly refused: Refusal }> | undefined;
    const prepared = await mapConcurrent(
      resources,
      (resource) =>
        // The whole list is refused: no more is asked of what does not answer.
        outage ??
        andThen(prepare(asked, resource), (one) => {
          if ('refused' in one && one.refused.status >= 500) outage = one;
          return one;
        }),
    );
    if (outage !== undefined) return [{ permitted: false, refused: outage.refused }];
    // Whoever delegates chooses how long the details are that each item is grouped by.
    await eachInTurn(prepared.entries(), yieldEvery(), ([place, one]) => {
      if ('refused' in one) {
        verdicts[place] = { permitted: false, refused: one.refused };
      } else {
        const group = groupOf(groups, one.details);
        group.places.push(place);
        group.resources.push(one.resource);
      }
    });
    for (const group of groups.values()) {
      const decided = await evaluateGroup(asked, group);
      for (const [index, place] of group.places.entries()) verdicts[place] = decided[index] ?? undecided;
    }
    return verdicts;
  }

  return (asked, resources) => {
    const [only] = resources;
    return only !== undefined && resources.length === 1 ? evaluateOne(asked, only) : evaluateList(asked, resources);
  };
}

const undecided: Verdict = { permitted: false, refused: refusal('policy_error', 'nothing was decided') };

function groupOf(groups: Map<string, Group>, details: MatchingDetails | undefined): Group {
  const key = JSON.stringify(details) ?? '';
  const group = groups.get(key) ?? { details, places: [], resources: [] };
  groups.set(key, group);
  return group;
}
