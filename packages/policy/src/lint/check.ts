import { approvalLimits } from '@countersign/approval';
import { ConfigError, messageOf, errorMessage } from '@countersign/common';
import { readFolder, sourceOf } from '../cedar/load/folder.js';
import { type Cedar, freshCedar } from '../cedar/instance/instance.js';
import type { Policy, PolicySet } from '../cedar/load/policy-set.js';
import { type PolicySetReading, readPolicySet } from '../cedar/load/read-policy-set.js';
import { AGENT_VOCABULARY, type Schema } from '../cedar/load/schema.js';
import { conditionsOf } from '../cedar/text/conditions.js';
import { isAnything } from './covers.js';
import type { PolicyCheck, PolicyFinding } from './finding.js';
import { fallibleReads, mayReadFallibly } from '../cedar/text/fallible-reads.js';
import { neverPermitted, requiredType } from './never-permitted.js';
import { coverageOf, type Covered, coveredPolicies } from './redundant.js';
import { tooManyApprovals } from './too-many-approvals.js';
import { unknownGroups } from './unknown-groups.js';

/**
 * Checks a folder of policies. Problems that would stop `cedarFromDirectory` are reported alone. Without such problems,
 * reports policies that can never apply, permit too much, are redundant or can fail, and actions that nothing permits.
 *
 * @throws ConfigError if the folder cannot be read.
 *
 * @example
 * const { findings } = await checkPolicies('policies');
 * for (const { file, line, message } of findings) console.error(`${file}:${line}: ${message}`);
 */
export async function checkPolicies(path: string): Promise<PolicyCheck> {
  const set = await readFolder(path).catch((error: unknown) => {
    throw new ConfigError(`${path}: ${messageOf(error)}`);
  });
  const cedar = freshCedar();
  const reading = await readOrProblems(async () => await readPolicySet(cedar, await sourceOf(set), AGENT_VOCABULARY));
  if (!reading.ok) return { policies: 0, findings: reading.problems.map(findingFrom) };
  return { policies: reading.set.policies.length, findings: lint(cedar, reading.set) };
}

async function readOrProblems(read: () => Promise<PolicySetReading>): Promise<PolicySetReading> {
  try {
    return await read();
  } catch (thrown) {
    if (thrown instanceof ConfigError) return { ok: false, problems: thrown.message.split('\n  ') };
    return { ok: false, problems: [`Cedar cannot take these policies: ${errorMessage(thrown)}`] };
  }
}

/** A problem is `file:line: message`, or a message without a location. */
function findingFrom(problem: string): PolicyFinding {
  const [, file, line, message] = /^([^\n:]+):(\d+): ([\s\S]*)$/.exec(problem) ?? [];
  const code = /\bimpossible\b/.test(problem) ? 'unreachable' : 'invalid';
  if (file === undefined || message === undefined) return { severity: 'error', code, message: problem };
  return { severity: 'error', code, message, file, line: Number(line) };
}

function lint(cedar: Cedar, set: PolicySet): PolicyFinding[] {
  const { policies, schema, entities } = set;
  const coverage = coverageOf(policies, schema?.actionGroups ?? new Map());
  const found = [
    ...policies.flatMap((policy) => [
      ...unreachable(policy),
      ...permitAll(policy),
      ...mayErr(cedar, policy, schema),
      ...expired(policy, Date.now),
      ...forbidsPath(policy),
    ]),
    ...coveredPolicies(policies, coverage).flatMap((pair) => redundant(pair, policies)),
    ...tooManyApprovals(policies, coverage, Date.now).map(({ policy, quorums }) => {
      const message = `Where it applies, permits with ${quorums} different @approval do. An approval answers at most ${approvalLimits.quorums}, so that is an error, which denies.`;
      return finding(policy, 'error', 'too-many-approvals', message);
    }),
    ...unknownGroups(policies, entities).map(({ policy, message }) =>
      finding(policy, 'warning', 'unknown-group', message),
    ),
  ].toSorted(byLocation);
  return [...found, ...(schema === undefined ? [NO_SCHEMA] : alwaysDenied(policies, schema))];
}

function alwaysDenied(policies: readonly Policy[], schema: Schema): PolicyFinding[] {
  return neverPermitted(policies, schema).map((action) => ({
    severity: 'warning',
    code: 'never-permitted',
    message: `No policy permits ${JSON.stringify(action)}: it is always denied. Write a permit, or take it out of the schema.`,
  }));
}

const NO_SCHEMA: PolicyFinding = {
  severity: 'warning',
  code: 'no-schema',
  message:
    'There is no *.cedarschema file: no misspelt attribute, action or type can be found. countersign policy new writes one.',
};

function unreachable(policy: Policy): PolicyFinding[] {
  const reason = neverHolds(policy);
  if (reason === undefined) return [];
  return [finding(policy, 'error', 'unreachable', `It can never apply: ${reason}. Mend or remove it.`)];
}

function neverHolds({ scope, text }: Policy): string | undefined {
  const { principal, action, resource } = scope;
  if ([principal, action, resource].some(({ in: groups }) => groups?.length === 0)) return 'nothing is in []';
  const principalType = requiredType(principal);
  if (principalType !== undefined && principalType !== 'Agent' && principalType !== 'User') {
    return `the principal is an Agent, or the User for whom it acts, never a ${principalType}`;
  }
  const never = conditionsOf(text).find(({ clause, text: body }) => body === (clause === 'when' ? 'false' : 'true'));
  return never === undefined ? undefined : `${never.clause} { ${never.text} } never lets it`;
}

function expired(policy: Policy, clock: () => number): PolicyFinding[] {
  if (policy.expiresAt === undefined || policy.expiresAt > clock() / 1000) return [];
  return [finding(policy, 'warning', 'expired', 'Its @expires is in the past, so it permits nothing. Remove it.')];
}

/** A path in a condition: of the request, or as a resource. */
const aPath = /\brequest\b\W+path\b|\bPath::"/;
/** A path that a permit leaves out: negated, unequal, or in one of two branches. */
const exceptPath =
  /![\s(]*context\b\W+request\b\W+path\b|\bpath\b["\]\s]*!=|!=\s*(?:Path::"|context\b\W+request\b\W+path\b)|\bif\b/;

function forbidsPath(policy: Policy): PolicyFinding[] {
  const forbids = policy.effect === 'forbid';
  const isAbout = (clause: string, text: string): boolean =>
    aPath.test(text) && (forbids || clause === 'unless' || exceptPath.test(text));
  const isScoped = forbids && policy.scope.resource.equals?.startsWith('Path::') === true;
  if (!isScoped && !conditionsOf(policy.text).some(({ clause, text }) => isAbout(clause, text))) return [];
  const message =
    'It forbids by a path, and routers may serve the same route under another: /Admin, /admin/, /%61dmin. Permit paths, or forbid an action.';
  return [finding(policy, 'warning', 'forbids-path', message)];
}

function permitAll(policy: Policy): PolicyFinding[] {
  const { effect, scope, text } = policy;
  if (effect !== 'permit' || !isAnything(scope)) return [];
  const conditions = conditionsOf(text).filter(
    ({ clause, text: body }) => body !== (clause === 'when' ? 'true' : 'false'),
  );
  if (conditions.length > 0) return [];
  const message = 'It permits every agent every action on everything. Name principal, action or resource.';
  return [finding(policy, 'error', 'permit-all', message)];
}

function mayErr(cedar: Cedar, policy: Policy, schema: PolicySet['schema']): PolicyFinding[] {
  if (!mayReadFallibly(conditionsOf(policy.text).map(({ text }) => text))) return [];
  const answer = cedar.policyToJson(policy.text);
  if (answer.type === 'failure') return [];
  const reads = fallibleReads(answer.json, schema !== undefined);
  if (reads.length === 0) return [];
  const harm = policy.effect === 'forbid' ? 'it should let pass' : 'other policies permit';
  const what = reads.join(', ');
  const message = `A request without ${what} makes it fail, and an error denies, also what ${harm}. Ask 'has' first.`;
  return [finding(policy, 'warning', 'may-err', message)];
}

function redundant({ policy, by, same }: Covered, policies: readonly Policy[]): PolicyFinding[] {
  const other = `${by.id} (${by.file}:${by.line})`;
  if (by.effect !== policy.effect) {
    return [finding(policy, 'warning', 'unreachable', `It never counts: ${other} forbids all that it permits.`)];
  }
  // A permit for more that asks for other people does not replace it: both must be met.
  if (by.approval !== undefined && !equal(by.approval, policy.approval)) return [];
  if (policy.approval !== undefined && by.approval === undefined) {
    const message = `It asks for approval in vain: ${other} permits the same without. Narrow that, or ask there, too.`;
    return [finding(policy, 'error', 'approval-bypassed', message)];
  }
  if (!same) {
    return [
      finding(policy, 'warning', 'overlapping', `All that it ${policy.effect}s, ${other} ${policy.effect}s too.`),
    ];
  }
  // Of two equal policies, only the later one is reported.
  if (policies.indexOf(by) > policies.indexOf(policy)) return [];
  return [finding(policy, 'warning', 'duplicate', `It says the same as ${other}. Remove one.`)];
}

function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function finding(
  { id, file, line }: Policy,
  severity: PolicyFinding['severity'],
  code: PolicyFinding['code'],
  message: string,
): PolicyFinding {
  return { severity, code, message, file, line, policy: id };
}

function byLocation(one: PolicyFinding, other: PolicyFinding): number {
  const [a = '', b = ''] = [one.file, other.file];
  if (a !== b) return a < b ? -1 : 1;
  return (one.line ?? 0) - (other.line ?? 0);
}
