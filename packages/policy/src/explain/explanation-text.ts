import type { ApprovalRequirement } from '@countersign/approval';
import type { ExplainedRequest, Explanation, NearPermit, PolicyPlace, UnmetCondition } from '../explanation.js';

/**
 * Formats an explanation as text of several lines. It quotes the request and the policies: use it for logs and policy
 * authors, not for responses to callers.
 *
 * @example
 * const decision = engine.decide(query);
 * if (decision.decision === 'deny') console.error(explanationText(decision.explain()));
 */
export function explanationText(explanation: Explanation): string {
  return [...verdictLines(explanation), ...nearestLines(explanation)].join('\n');
}

function verdictLines({ decision, request, determining, errors, approval }: Explanation): string[] {
  const places = determining.map((place) => `  ${placeText(place)}`);
  const asked = requestText(request);
  if (approval !== undefined) {
    return [`Allowed with approval: ${asked}.`, 'Permitted by:', ...places, ...approvalLines(approval)];
  }
  if (decision === 'allow') return [`Allowed: ${asked}.`, 'Permitted by:', ...places];
  if (determining.some(({ effect }) => effect === 'forbid') && errors.length === 0) {
    return [`Denied: ${asked}.`, 'Forbidden by:', ...places];
  }
  if (errors.length === 0) return [`Denied: ${asked}.`];
  const problems = errors.map((error) => `  ${error}`);
  return [`Denied: ${asked}.`, 'An error denies, whatever else permits:', ...problems, ...places];
}

function approvalLines({
  quorums,
  decideWithinSeconds,
  useWithinSeconds,
  reason,
  excluded,
}: ApprovalRequirement): string[] {
  const people = quorums.map(({ groups, count }) => `  ${count} of ${groups.join(' or ')}`);
  const others = excluded.length === 0 ? '' : `, not the ${excluded.join(' or the ')}`;
  const why = reason === 'required' ? ', each with a reason' : '';
  return [
    'It counts only with the approval of:',
    ...people,
    `  decided within ${decideWithinSeconds} s, used within ${useWithinSeconds} s${why}${others}`,
  ];
}

function nearestLines({ decision, request, determining, errors, nearest }: Explanation): string[] {
  if (decision === 'allow' || (errors.length > 0 && nearest.length === 0)) return [];
  const [first] = nearest;
  if (first === undefined) return ['There is no permit that could apply.'];
  const heading =
    determining.length === 0 ? 'No permit applies. The nearest:' : 'Without that, these permits come nearest:';
  return [heading, ...nearest.flatMap((permit) => permitLines(permit, request))];
}

function permitLines(permit: NearPermit, request: ExplainedRequest): string[] {
  const unmet = permit.unmet.flatMap((condition) => unmetLines(permit, condition, request));
  return [`  ${placeText(permit)}`, ...(unmet.length === 0 ? ['    it applies'] : unmet)];
}

function unmetLines({ file }: PolicyPlace, condition: UnmetCondition, request: ExplainedRequest): string[] {
  const { about, clause, text, line, error } = condition;
  const verb = clause === 'unless' ? 'must not hold' : 'does not hold';
  const fact = factText(about, request);
  return [
    `    ${about} (${file}:${line}): ${text}`,
    `      ${error === undefined ? verb : `cannot be evaluated: ${error}`}${fact === undefined ? '' : `; ${fact}`}`,
  ];
}

/** The value in the request that a condition about it did not accept. */
function factText(about: UnmetCondition['about'], request: ExplainedRequest): string | undefined {
  const { actor, roles, subject, action, resource, scope } = request;
  switch (about) {
    case 'actor':
      return `the actor is ${actor}, ${roles.length === 0 ? 'without roles' : `in the roles ${roles.join(', ')}`}`;
    case 'action':
      return `the action is ${action}`;
    case 'resource':
      return `the resource is ${resource}`;
    case 'scope':
      return scope.length === 0 ? 'the scope is empty' : `the scope is ${scope.join(' ')}`;
    case 'subject':
      return subject === undefined ? 'the agent acts for itself' : `the agent acts for ${subject}`;
    default:
      return undefined;
  }
}

function requestText({ actor, subject, action, resource }: ExplainedRequest): string {
  if (actor === '') return 'a request that cannot be read';
  return `${actor}${subject === undefined ? '' : ` for ${subject}`}, ${action} on ${resource}`;
}

function placeText({ id, file, line }: PolicyPlace): string {
  return `${id} (${file}:${line})`;
}
