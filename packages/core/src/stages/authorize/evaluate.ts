import { type DetailsMatch, detailsMatch, type MatchedDetails } from './matching-details.js';
import type { Caller } from '../../model/caller.js';
import type { RequestFacts } from '../../model/request.js';
import { outage, type Refusal, refusal } from '../../model/refusal.js';
import { askEngine } from './ask-engine.js';
import {
  andThen,
  type Awaitable,
  eachInTurn,
  fewOfEach,
  LateAnswer,
  mapConcurrent,
  yieldEvery,
} from '@countersign/common';
import type { MatchingDetails, Resource } from '@countersign/policy';
import { createEntityResolver, type EntityResolverParts } from './entity-provider.js';
import { isOutage, type Verdict, verdictOf } from './verdict.js';
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
  | { readonly details: MatchedDetails | undefined; readonly resource: Resource }
  | { readonly refused: Refusal };

/** Lists of one lister that are evaluated at once: many must not crowd out the decisions of others, nor all be late. */
const listsAtOnce = 4;

/** Resources that the delegation limits alike: one question for all of them. */
interface Group {
  readonly details: MatchedDetails | undefined;
  readonly places: number[];
  readonly resources: Resource[];
}

export function createEvaluator(parts: EvaluatorParts): Evaluator {
  const { scopeMatch, locationsFor, lookupTimeoutSeconds } = parts;
  const checkSubject = createSubjectCheck(parts);
  const resolve = createEntityResolver(parts);
  const inLine = fewOfEach(listsAtOnce);

  function evaluateGroup(
    asked: Asked,
    { details, resources }: Pick<Group, 'details' | 'resources'>,
  ): Awaitable<readonly Verdict[]> {
    const together = evaluateWithin(asked, details?.all, resources);
    if (details === undefined || details.each.length === 1) return together;
    return andThen(together, (verdicts) => evaluateEach(asked, details.each, resources, verdicts));
  }

  /** One detail must permit by itself what all of them together would permit. */
  async function evaluateEach(
    asked: Asked,
    each: readonly MatchingDetails[],
    resources: readonly Resource[],
    together: readonly Verdict[],
  ): Promise<readonly Verdict[]> {
    const until = performance.now() + lookupTimeoutSeconds * 1000;
    const verdicts = [...together];
    let left = [...resources.keys()].filter((place) => together[place]?.permitted === true);
    for (const details of each) {
      if (left.length === 0) break;
      // Whoever delegates chooses how many there are.
      if (performance.now() >= until) return resources.map(() => tooManyDetails);
      const decided = await evaluateWithin(
        asked,
        details,
        left.flatMap((place) => resources[place] ?? []),
      );
      const down = decided.find((verdict) => !verdict.permitted && isOutage(verdict.refused));
      if (down !== undefined) return resources.map(() => down);
      for (const [index, place] of left.entries()) verdicts[place] = decided[index] ?? undecided;
      left = left.filter((place) => verdicts[place]?.permitted !== true);
    }
    return verdicts;
  }

  function evaluateWithin(
    asked: Asked,
    details: MatchingDetails | undefined,
    resources: readonly Resource[],
  ): Awaitable<readonly Verdict[]> {
    const question = (vocabulary: readonly string[]) => actorQuestion(asked, { details, vocabulary, scopeMatch });
    return andThen(askEngine(parts, question, resources), (answers) =>
      checkSubject(asked, { details, resources, verdicts: answers.map(verdictOf) }),
    );
  }

  function detailsFor({ caller, action, facts }: Asked): DetailsMatch {
    return detailsMatch(caller.authorizationDetails, { action, locations: locationsFor(facts) });
  }

  /** Prepares each resource of one decision. */
  function preparing(asked: Asked): (resource: Resource) => Awaitable<Prepared> {
    const match = detailsFor(asked);
    const looked = new Map();
    return (resource) => {
      const details = match(resource);
      if (details !== undefined && 'code' in details) return { refused: details };
      return andThen(resolve(resource, looked), (resolved) =>
        'refused' in resolved ? resolved : { details, resource: resolved.resource },
      );
    };
  }

  function evaluateOne(asked: Asked, resource: Resource): Awaitable<readonly Verdict[]> {
    return andThen(preparing(asked)(resource), (one) =>
      'refused' in one
        ? [{ permitted: false, refused: one.refused }]
        : evaluateGroup(asked, { details: one.details, resources: [one.resource] }),
    );
  }

  async function evaluateList(asked: Asked, resources: readonly Resource[]): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    const groups = new Map<MatchedDetails | undefined, Group>();
    const prepare = preparing(asked);
    let unavailable: Extract<Prepared, { readonly refused: Refusal }> | undefined;
    const until = performance.now() + lookupTimeoutSeconds * 1000;
    const prepared = await mapConcurrent(
      resources,
      (resource) =>
        // The whole list is refused: no more is asked of what does not answer.
        unavailable ??
        andThen(prepare(resource), (one) => {
          if ('refused' in one && (isOutage(one.refused) || isLateFailure(one.refused, until))) unavailable = one;
          return one;
        }),
    );
    if (unavailable !== undefined) return [{ permitted: false, refused: unavailable.refused }];
    await eachInTurn(prepared.entries(), yieldEvery(), ([place, one]) => {
      if ('refused' in one) {
        verdicts[place] = { permitted: false, refused: one.refused };
      } else {
        const group = groupOf(groups, one.details);
        group.places.push(place);
        group.resources.push(one.resource);
      }
    });
    return await evaluateGroups(asked, groups.values(), verdicts);
  }

  /** Adds the verdicts of the groups to those that are known. */
  async function evaluateGroups(
    asked: Asked,
    groups: Iterable<Group>,
    verdicts: Verdict[],
  ): Promise<readonly Verdict[]> {
    for (const group of groups) {
      const decided = await evaluateGroup(asked, group);
      for (const [index, place] of group.places.entries()) verdicts[place] = decided[index] ?? undecided;
      // The whole list is refused: the other groups would wait for the same engine.
      const [first] = decided;
      if (first?.permitted === false && isOutage(first.refused)) return [first];
    }
    return verdicts;
  }

  return (asked, resources) => {
    const [only] = resources;
    if (only !== undefined && resources.length === 1) return evaluateOne(asked, only);
    const waiter = { key: listerOf(asked.caller), seconds: lookupTimeoutSeconds, late: tooManyLists };
    return inLine(waiter, () => evaluateList(asked, resources));
  };
}

/** Whose lists wait for each other. An actor that proved no key may be an application that all users share. */
function listerOf({ actor, subject }: Caller): string {
  return JSON.stringify(actor.keyId === undefined ? [actor.id, subject.issuer, subject.id] : [actor.id]);
}

const undecided: Verdict = { permitted: false, refused: refusal('policy_error', 'nothing was decided') };

const tooManyDetails: Verdict = {
  permitted: false,
  refused: outage(
    'policy_unavailable',
    new LateAnswer('the question about each of the authorization_details took too long'),
  ),
};

/** A database may take its time to fail for each row: a list must not wait for all of them. */
function isLateFailure({ code }: Refusal, until: number): boolean {
  return code === 'resource_unresolved' && performance.now() >= until;
}

function tooManyLists(): readonly Verdict[] {
  const error = new LateAnswer(`${listsAtOnce} other lists of the caller took too long`);
  return [{ permitted: false, refused: outage('policy_unavailable', error) }];
}

function groupOf(groups: Map<MatchedDetails | undefined, Group>, details: MatchedDetails | undefined): Group {
  const group = groups.get(details) ?? { details, places: [], resources: [] };
  groups.set(details, group);
  return group;
}
