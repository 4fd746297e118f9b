import { readRequirement } from '@countersign/approval';
import { outage, type Refusal, refusal } from '../../model/refusal.js';
import { andThen, answerInTime, answerOr, type Awaitable, containRejections } from '@countersign/common';
import { LateAnswer, mapConcurrent } from '@countersign/common';
import type { PolicyDecision, PolicyEngine, Resource } from '@countersign/policy';
import type { Question } from './question.js';

/** An engine, and how long it may take for one answer. */
export interface EngineParts {
  readonly policy: PolicyEngine;
  readonly lookupTimeoutSeconds: number;
}

/**
 * Asks an engine about each resource. An engine that fails, in whatever way, has not allowed anything. `question` gets
 * what the engine knows of scopes; what it throws counts as the engine's fault. Never rejects.
 */
export function askEngine(
  { policy, lookupTimeoutSeconds }: EngineParts,
  question: (vocabulary: readonly string[]) => Question,
  resources: readonly Resource[],
): Awaitable<readonly (PolicyDecision | Refusal)[]> {
  const read = (decisions: unknown): readonly (PolicyDecision | Refusal)[] => {
    if (Array.isArray(decisions) && decisions.length === resources.length)
      return Array.from(decisions, decisionOrFault);
    containRejections(decisions);
    return resources.map(() => refusal('policy_error', 'the engine gave no decision for each resource'));
  };
  return answerOr(
    () => andThen(decideAll(policy, question(vocabularyOf(policy)), resources, lookupTimeoutSeconds), read),
    (error) => {
      const refused = outage('policy_unavailable', error);
      return resources.map(() => refused);
    },
  );
}

/** Read anew each time: it may change with the policies. */
export function vocabularyOf({ scopeVocabulary }: PolicyEngine): readonly string[] {
  if (Array.isArray(scopeVocabulary)) return scopeVocabulary;
  containRejections(scopeVocabulary);
  throw new TypeError("'scopeVocabulary' is no list of scopes");
}

function decideAll(
  policy: PolicyEngine,
  question: Question,
  resources: readonly Resource[],
  seconds: number,
): Awaitable<readonly PolicyDecision[]> {
  const [only] = resources;
  if (only !== undefined && resources.length === 1) {
    // Without a timer, if the engine decides in process.
    const { principal, action, context } = question;
    const query = { principal, action, resource: only, context };
    return andThen(
      answerInTime(seconds, () => policy.decide(query)),
      (decision) => [decision],
    );
  }
  const refused = new AbortController();
  const { signal } = refused;
  const decide = (resource: Resource): Awaitable<PolicyDecision> => {
    // The list has been refused: no more is asked about it.
    signal.throwIfAborted();
    return policy.decide({ ...question, resource });
  };
  return answerInTime(
    seconds,
    async () =>
      policy.decideMany === undefined
        ? await mapConcurrent(resources, decide)
        : await policy.decideMany(question, resources, signal),
    () => {
      refused.abort(new LateAnswer(`no answer within ${seconds} s`));
      throw signal.reason;
    },
  );
}

function decisionOrFault(value: unknown): PolicyDecision | Refusal {
  const fault = faultIn(value);
  if (fault === undefined) return value as PolicyDecision;
  containRejections(value);
  return refusal('policy_error', fault);
}

function faultIn(value: unknown): string | undefined {
  if (!isDecision(value)) return 'the engine gave no decision';
  const approval = value.approval === undefined ? undefined : readRequirement(value.approval);
  return approval?.ok === false
    ? `the engine asks for an approval that cannot be given: ${approval.problem}`
    : undefined;
}

function isDecision(value: unknown): value is PolicyDecision {
  if (typeof value !== 'object' || value === null) return false;
  const { decision, cause, policies, policySet, errors } = value as Partial<Record<keyof PolicyDecision, unknown>>;
  return (
    (decision === 'allow' || decision === 'deny') &&
    (cause === 'policy' || cause === 'error') &&
    // Recorded as they are: only text is bounded, and a line that is too long would end the audit log.
    typeof policySet === 'string' &&
    isTextList(policies) &&
    isTextList(errors)
  );
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
