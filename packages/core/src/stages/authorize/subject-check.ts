import { joinRequirements } from '@countersign/approval';
import type { Awaitable } from '@countersign/common';
import type { ScopeMatch } from '@countersign/delegation';
import type { Caller } from '../../model/caller.js';
import type { AgentDirectory } from '../../keys/directory.js';
import { findKeyHolder } from '../possession/key-holder.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import { askEngine, type EngineParts } from './ask-engine.js';
import type { MatchingDetails, PolicyDecision, PolicyQuery, Resource } from '@countersign/policy';
import { type Verdict, verdictOf } from './verdict.js';
import { actsForItself, type Asked, subjectQuestion } from './question.js';

export interface SubjectCheckParts extends EngineParts {
  readonly agents: AgentDirectory;
  readonly scopeMatch: ScopeMatch;
  readonly clock: () => number;
  readonly subjectMustAlsoBePermitted: boolean;
}

/** Resources that the delegation limits alike, and what was decided for the actor. */
export interface ActorVerdicts {
  readonly details: MatchingDetails | undefined;
  readonly resources: readonly Resource[];
  readonly verdicts: readonly Verdict[];
}

/**
 * Asks policy whether the subject, too, may do what the actor may: an agent can then never do more than who it acts for.
 * A Web Bot Auth caller is its own subject, asked about as it is registered.
 */
export function createSubjectCheck(parts: SubjectCheckParts) {
  const { agents, scopeMatch, clock, subjectMustAlsoBePermitted } = parts;
  return (asked: Asked, actors: ActorVerdicts): Awaitable<readonly Verdict[]> => {
    const { caller } = asked;
    // Without its roles and its owner, a forbid for one of them would be missed.
    const isReduced = caller.proof.kind === 'web-bot-auth';
    const isAsked = isReduced || (subjectMustAlsoBePermitted && !actsForItself(caller));
    return isAsked ? askForSubject(asked, actors) : actors.verdicts;
  };

  async function askForSubject(
    asked: Asked,
    { details, resources, verdicts }: ActorVerdicts,
  ): Promise<readonly Verdict[]> {
    const { caller } = asked;
    const permitted = resources.filter((_resource, place) => verdicts[place]?.permitted === true);
    if (permitted.length === 0) return verdicts;
    const principal = await subjectPrincipal(caller, agents, clock() / 1000);
    if ('code' in principal) {
      return verdicts.map((verdict) =>
        verdict.permitted ? { ...verdict, permitted: false, refused: principal } : verdict,
      );
    }
    const question = (vocabulary: readonly string[]) =>
      subjectQuestion(asked, { details, vocabulary, scopeMatch }, principal);
    const answers = (await askEngine(parts, question, permitted)).values();
    return verdicts.map((verdict) => {
      const answer = verdict.permitted ? answers.next().value : undefined;
      return verdict.permitted && answer !== undefined ? both(verdict.policy, answer, caller) : verdict;
    });
  }
}

/** Who the subject is to policy. Of a user no more than the id is known here, and of an agent what the directory says. */
async function subjectPrincipal(
  { subject, chain }: Caller,
  agents: AgentDirectory,
  now: number,
): Promise<PolicyQuery['principal'] | Refusal> {
  const { type, id } = subject;
  if (type === 'user') return { type: 'User', id, roles: [], capabilities: [] };
  const [{ keyId }] = chain;
  const holder = keyId === undefined ? undefined : await findKeyHolder(keyId, { agents, token: undefined, now });
  if (holder !== undefined && 'code' in holder && holder.code === 'keys_unavailable') return holder;
  // Without its roles, a forbid for one of them would be missed.
  if (holder === undefined || 'code' in holder || holder.agent.id !== id) {
    return refusal('policy_denied', `the subject, agent ${id}: no registered key of it is in the chain`);
  }
  const { roles, capabilities, owner } = holder.agent;
  return { id, roles, capabilities, ...(owner === undefined ? {} : { owner }) };
}

/** What both answers come to. The record names the policies of both. */
function both(actors: PolicyDecision, answer: PolicyDecision | Refusal, { subject }: Caller): Verdict {
  const subjects = verdictOf(answer);
  if (!subjects.permitted) {
    const { code, detail = 'not permitted' } = subjects.refused;
    return { ...subjects, refused: refusal(code, `the subject, ${subject.type} ${subject.id}: ${detail}`) };
  }
  const { policies, policySet } = subjects.policy;
  const [approval, ...more] = [actors.approval, subjects.policy.approval].filter((each) => each !== undefined);
  return {
    permitted: true,
    policy: {
      ...actors,
      ...(approval && { approval: joinRequirements(approval, ...more) }),
      policies: [...new Set([...actors.policies, ...policies])],
      policySet: [...new Set([actors.policySet, policySet])].join(' '),
    },
  };
}
