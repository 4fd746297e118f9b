import type { ScopeMatch } from '@countersign/delegation';
import { matchingDetails } from '../matching-details.js';
import { type Refusal, refusal } from '../refusal.js';
import { askEngine } from './ask-engine.js';
import type { MatchingDetails, PolicyDecision, PolicyEngine, Resource } from './engine.js';
import { actorQuestion, type Asked } from './question.js';

export interface JudgeSettings {
  readonly policy: PolicyEngine;
  readonly scopeMatch: ScopeMatch;
  /** What this API is called in `authorization_details`. */
  readonly audiences: readonly string[];
}

/** What became of the question about one resource, and what policy said if it was asked. */
export type Judgement =
  | { readonly permitted: true; readonly policy: PolicyDecision }
  | { readonly permitted: false; readonly policy?: PolicyDecision; readonly refused: Refusal };

/** Judges one action on each resource, in their order: by the details of the delegation, then by policy. Never rejects. */
export type Judge = (asked: Asked, resources: readonly Resource[]) => Promise<readonly Judgement[]>;

/** Resources that the delegation limits alike: one question for all of them. */
interface Group {
  readonly details: MatchingDetails | undefined;
  readonly places: number[];
  readonly resources: Resource[];
}

export function createJudge({ policy, scopeMatch, audiences }: JudgeSettings): Judge {
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
    for (const { details, places, resources: alike } of groups.values()) {
      const question = (vocabulary: readonly string[]) => actorQuestion(asked, { details, vocabulary, scopeMatch });
      const answers = await askEngine(policy, question, alike);
      for (const [index, answer] of answers.entries()) judgements[places[index] ?? 0] = judgementOf(answer);
    }
    return judgements;
  };
}

function groupOf(groups: Map<string, Group>, details: MatchingDetails | undefined): Group {
  const key = JSON.stringify(details) ?? '';
  const group = groups.get(key) ?? { details, places: [], resources: [] };
  groups.set(key, group);
  return group;
}

function judgementOf(answer: PolicyDecision | Refusal): Judgement {
  if ('code' in answer) return { permitted: false, refused: answer };
  if (answer.cause === 'policy' && answer.decision === 'allow') return { permitted: true, policy: answer };
  const refused =
    answer.cause === 'error' ? refusal('policy_error', answer.errors.join('; ')) : refusal('policy_denied');
  return { permitted: false, policy: answer, refused };
}
