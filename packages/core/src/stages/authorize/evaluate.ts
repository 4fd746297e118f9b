import { matchingDetails } from './matching-details.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import { askEngine } from './ask-engine.js';
import { mapConcurrent } from '@countersign/common';
import type { MatchingDetails, Resource } from '@countersign/policy';
import { createEntityResolver, type EntityResolverSettings } from './entity-provider.js';
import { type Verdict, verdictOf } from './verdict.js';
import { actorQuestion, type Asked } from './question.js';
import { createSubjectCheck, type SubjectCheckSettings } from './subject-check.js';

export interface EvaluatorSettings extends SubjectCheckSettings, EntityResolverSettings {
  readonly subjectMustAlsoBePermitted: boolean;
  /** What this API is called in `authorization_details`. */
  readonly audiences: readonly string[];
}

/**
 * Judges one action on each resource, in their order: by the details of the delegation, then by policy. Never
 * rejects.
 */
export type Evaluator = (asked: Asked, resources: readonly Resource[]) => Promise<readonly Verdict[]>;

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

export function createEvaluator(settings: EvaluatorSettings): Evaluator {
  const { policy, scopeMatch, audiences, subjectMustAlsoBePermitted } = settings;
  const checkSubject = createSubjectCheck(settings);
  const resolve = createEntityResolver(settings);

  async function judgeAlike(asked: Asked, { details, resources }: Group): Promise<readonly Verdict[]> {
    const question = (vocabulary: readonly string[]) => actorQuestion(asked, { details, vocabulary, scopeMatch });
    const judgements = (await askEngine(policy, question, resources)).map(verdictOf);
    return subjectMustAlsoBePermitted ? await checkSubject(asked, { details, resources, judgements }) : judgements;
  }

  async function prepare({ caller, action }: Asked, resource: Resource): Promise<Prepared> {
    const details = matchingDetails(caller.authorizationDetails, { action, resource }, audiences);
    if (details !== undefined && 'code' in details) return { refused: details };
    const resolved = await resolve(caller, resource);
    return 'refused' in resolved ? resolved : { details, resource: resolved.resource };
  }

  return async (asked, resources) => {
    const judgements: Verdict[] = [];
    const groups = new Map<string, Group>();
    const prepared = await mapConcurrent(resources, (resource) => prepare(asked, resource));
    for (const [place, one] of prepared.entries()) {
      if ('refused' in one) {
        judgements[place] = { permitted: false, refused: one.refused };
      } else {
        const group = groupOf(groups, one.details);
        group.places.push(place);
        group.resources.push(one.resource);
      }
    }
    for (const group of groups.values()) {
      const judged = await judgeAlike(asked, group);
      for (const [index, place] of group.places.entries()) judgements[place] = judged[index] ?? undecided;
    }
    return judgements;
  };
}

const undecided: Verdict = { permitted: false, refused: refusal('policy_error', 'nothing was decided') };

function groupOf(groups: Map<string, Group>, details: MatchingDetails | undefined): Group {
  const key = JSON.stringify(details) ?? '';
  const group = groups.get(key) ?? { details, places: [], resources: [] };
  groups.set(key, group);
  return group;
}
