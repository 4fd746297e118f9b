import { matchingDetails } from '../matching-details.js';
import { refusal } from '../refusal.js';
import { askEngine } from './ask-engine.js';
import type { MatchingDetails, Resource } from './engine.js';
import { type Judgement, judgementOf } from './judgement.js';
import { actorQuestion, type Asked } from './question.js';
import { createSubjectCheck, type SubjectCheckSettings } from './subject-check.js';

export interface JudgeSettings extends SubjectCheckSettings {
  readonly subjectMustAlsoBePermitted: boolean;
  /** What this API is called in `authorization_details`. */
  readonly audiences: readonly string[];
}

/** Judges one action on each resource, in their order: by the details of the delegation, then by policy. Never rejects. */
export type Judge = (asked: Asked, resources: readonly Resource[]) => Promise<readonly Judgement[]>;

/** Resources that the delegation limits alike: one question for all of them. */
interface Group {
  readonly details: MatchingDetails | undefined;
  readonly places: number[];
  readonly resources: Resource[];
}

export function createJudge(settings: JudgeSettings): Judge {
  const { policy, scopeMatch, audiences, subjectMustAlsoBePermitted } = settings;
  const checkSubject = createSubjectCheck(settings);

  async function judgeAlike(asked: Asked, { details, resources }: Group): Promise<readonly Judgement[]> {
    const question = (vocabulary: readonly string[]) => actorQuestion(asked, { details, vocabulary, scopeMatch });
    const judgements = (await askEngine(policy, question, resources)).map(judgementOf);
    return subjectMustAlsoBePermitted ? await checkSubject(asked, { details, resources, judgements }) : judgements;
  }

  return async (asked, resources) => {
    const judgements: Judgement[] = [];
    const groups = new Map<string, Group>();
    for (const [place, resource] of resources.entries()) {
      const details = matchingDetails(asked.caller.authorizationDetails, { action: asked.action, resource }, audiences);
      if (details !== undefined && 'code' in details) {
        judgements[place] = { permitted: false, refused: details };
      } else {
        const group = groupOf(groups, details);
        group.places.push(place);
        group.resources.push(resource);
      }
    }
    for (const group of groups.values()) {
      const judged = await judgeAlike(asked, group);
      for (const [index, place] of group.places.entries()) judgements[place] = judged[index] ?? undecided;
    }
    return judgements;
  };
}

const undecided: Judgement = { permitted: false, refused: refusal('policy_error', 'nothing was decided') };

function groupOf(groups: Map<string, Group>, details: MatchingDetails | undefined): Group {
  const key = JSON.stringify(details) ?? '';
  const group = groups.get(key) ?? { details, places: [], resources: [] };
  groups.set(key, group);
  return group;
}
