import type { ApprovalClaims, ApprovalRequest, ApprovalUses } from '@countersign/approval';
import { checkOptionNames, ConfigError, credentialFields } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import { type IssuerOptions, readIssuers, type TrustedIssuer } from '../token/issuers.js';

/**
 * An authority whose approvals count. Its keys are found as those of an issuer of tokens. If it issues tokens here too,
 * its `subjectNamespace` is that of its entry in the `issuers` of the guard.
 */
export interface ApprovalIssuer
  extends Pick<
    IssuerOptions,
    'issuer' | 'jwks' | 'jwksUri' | 'subjectNamespace' | 'dangerouslyAllowHttp' | 'dangerouslyAllowPrivateAddresses'
  > {
  /**
   * The groups for which its approvals count, as policies name them. Each authority names the groups of its people
   * itself. Default: all. Required if there are several authorities.
   */
  readonly groups?: readonly string[];
}

/** Who may approve what policies annotate with `@approval`. */
export interface ApprovalsOptions {
  /** Authorities whose signed approvals count. Default: none. */
  readonly issuers?: readonly ApprovalIssuer[];
  /** A queue of the application, from {@link approvalsFrom}. Default: none. */
  readonly queue?: ApprovalQueue;
  /**
   * Remembers which approvals were used. Default: the replay store. In memory it forgets with the process, so that
   * approvals from before a restart count no more; `approvalUsesInFolder` keeps them.
   */
  readonly uses?: ApprovalUses;
  /** Ids of the people who may approve alone in an emergency, with a reason, for minutes. Default: nobody. */
  readonly breakGlass?: readonly string[];
  /**
   * Other fields of a request that people approve with it, like `x-amount`: all that a handler acts by. A field that is
   * not named may be another at execution. Default: none.
   */
  readonly fields?: readonly string[];
  /**
   * Media types of the bodies that the API reads, in lower case, without parameters. Nobody is asked about another: most
   * parsers skip it, and the handler acts on nothing. Default: `['application/json']`.
   */
  readonly bodyTypes?: readonly string[];
}

/** What a queue is asked: the same request always has the same binding. */
export interface QueuedApproval {
  readonly binding: string;
  readonly request: ApprovalRequest;
}

/**
 * What a queue knows of a request. `pending`: people have not decided; `url` is the page where they do. `approved`: what
 * they decided, checked like an approval of an authority and used once. `denied`: `reason` reaches the agent.
 */
export type QueueAnswer =
  | { readonly status: 'pending'; readonly url?: string }
  | { readonly status: 'denied'; readonly reason?: string }
  | ({ readonly status: 'approved' } & QueuedDecision);

type QueuedDecision = Omit<ApprovalClaims, 'issuer' | 'audience' | 'breakGlass'> &
  Partial<Pick<ApprovalClaims, 'breakGlass'>>;

/**
 * Asked at each decision that needs consent: the first time it notes the request, later it tells what became of it. An
 * agent can ask about as many requests as it likes: bound how many of them wait.
 */
export type ApprovalQueue = (asked: QueuedApproval) => QueueAnswer | Promise<QueueAnswer>;

/** An authority with checked options. */
export interface TrustedApprover extends TrustedIssuer {
  /** Undefined: all. */
  readonly groups: readonly string[] | undefined;
  /** Namespaces of others, whose people it must not name. Empty if it has one itself: none begins with another. */
  readonly foreignNamespaces: readonly string[];
}

/** The options, checked. */
export interface ApprovalsValues {
  readonly issuers: ReadonlyMap<string, TrustedApprover>;
  readonly queue: ApprovalQueue | undefined;
  readonly uses: ApprovalUses | undefined;
  readonly breakGlass: readonly string[];
  readonly fields: readonly string[];
  readonly bodyTypes: readonly string[];
}

const owner = "createGuard: 'approvals'";
const optionNames = [
  'issuers',
  'queue',
  'uses',
  'breakGlass',
  'fields',
  'bodyTypes',
] as const satisfies readonly (keyof ApprovalsOptions)[];
const issuerNames = [
  'issuer',
  'jwks',
  'jwksUri',
  'subjectNamespace',
  'groups',
  'dangerouslyAllowHttp',
  'dangerouslyAllowPrivateAddresses',
] as const satisfies readonly (keyof ApprovalIssuer)[];

/**
 * Approvals from a queue of the application, instead of an authority. The guard checks them alike: the same binding, the
 * groups and counts of the policy, the times, and that each is used once.
 *
 * @example
 * ```ts
 * const approvals = approvalsFrom(async ({ binding, request }) => await queue.find(binding) ?? await queue.add(binding, request));
 * ```
 */
export function approvalsFrom(
  queue: ApprovalQueue,
  options: Omit<ApprovalsOptions, 'issuers' | 'queue'> = {},
): ApprovalsOptions {
  return { ...options, queue };
}

/** Why policies need another option; undefined if they do not. */
export function approvalsProblem(approvals: object | undefined, asksApproval: boolean | undefined): string | undefined {
  if (approvals !== undefined || asksApproval !== true) return undefined;
  return `${owner} is missing: a policy has @approval, and nobody may approve. Name an authority, { issuers: [{ issuer }] }, or use approvalsFrom().`;
}

/**
 * Reads the option. `tokenIssuers`: the `issuers` of the guard.
 *
 * @throws ConfigError when an option is wrong, or policies ask for approval and nobody may give it.
 */
export function readApprovals(
  approvals: ApprovalsOptions | undefined,
  asksApproval: boolean | undefined,
  tokenIssuers: readonly IssuerOptions[] = [],
): ApprovalsValues | undefined {
  const problem = approvalsProblem(approvals, asksApproval);
  if (problem !== undefined) throw new ConfigError(problem);
  if (approvals === undefined) return undefined;
  if (typeof approvals !== 'object' || approvals === null) {
    throw new ConfigError(`${owner} must be { issuers: [{ issuer }] }, or come from approvalsFrom().`);
  }
  checkOptionNames(owner, approvals, optionNames);
  const { issuers = [], queue, uses, breakGlass = [], fields = [], bodyTypes = ['application/json'] } = approvals;
  if (queue !== undefined && typeof queue !== 'function')
    throw new ConfigError(`${owner}: 'queue' must be a function.`);
  if (uses !== undefined && typeof uses?.use !== 'function') {
    throw new ConfigError(`${owner}: 'uses' has no method use(). Try await approvalUsesInFolder('approvals-used').`);
  }
  if (!Array.isArray(breakGlass) || !breakGlass.every(isIdentifier))
    throw new ConfigError(`${owner}: 'breakGlass' must list the ids of people.`);
  checkFields(fields);
  if (!isListOf(/^[a-z0-9.+-]+\/[a-z0-9.+-]+$/, bodyTypes))
    throw new ConfigError(`${owner}: 'bodyTypes' must list media types in lower case, like 'application/json'.`);
  const read = readApprovalIssuers(issuers, tokenIssuers);
  if (read.size === 0 && queue === undefined) {
    throw new ConfigError(`${owner}: nobody may approve. Name an authority, or use approvalsFrom().`);
  }
  return {
    issuers: read,
    queue,
    uses,
    breakGlass: [...breakGlass],
    fields: [...new Set(fields)],
    bodyTypes: [...bodyTypes],
  };
}

/** They are new with each signature, or secrets that people are not to see. */
const unboundFields: readonly string[] = [...credentialFields, 'signature-input', 'signature', 'content-digest'];
const mostFields = 16;

function checkFields(fields: readonly string[]): void {
  if (!isListOf(/^[a-z][a-z0-9-]*$/, fields) || fields.length > mostFields)
    throw new ConfigError(`${owner}: 'fields' must list at most ${mostFields} names of fields in lower case.`);
  const unbound = unboundFields.find((name) => fields.includes(name));
  if (unbound === undefined) return;
  throw new ConfigError(`${owner}, fields: take '${unbound}' out. It differs from request to request, or is a secret.`);
}

function isListOf(pattern: RegExp, list: unknown): boolean {
  return Array.isArray(list) && list.every((each) => typeof each === 'string' && pattern.test(each));
}

function readApprovalIssuers(
  issuers: readonly ApprovalIssuer[],
  tokenIssuers: readonly IssuerOptions[],
): ReadonlyMap<string, TrustedApprover> {
  if (!Array.isArray(issuers)) throw new ConfigError(`${owner}: 'issuers' must be a list.`);
  for (const issuer of issuers) checkOptionNames(`${owner}, issuers`, issuer, issuerNames);
  const algorithms = ['EdDSA', 'Ed25519'];
  const read = readIssuers(
    issuers.map(({ groups: _groups, ...issuer }) => ({ ...inNamespace(issuer, tokenIssuers), algorithms })),
  );
  const namespaces = [
    ...read.values(),
    ...tokenIssuers.map(({ subjectNamespace }) => ({ namespace: subjectNamespace })),
  ]
    .map(({ namespace = '' }) => namespace)
    .filter((namespace) => namespace !== '');
  return new Map(
    issuers.map(({ issuer, groups }) => {
      checkGroups(issuer, groups, issuers.length);
      const trusted = read.get(issuer) as TrustedIssuer;
      return [issuer, { ...trusted, groups, foreignNamespaces: foreignTo(trusted, namespaces) }];
    }),
  );
}

/** @throws ConfigError if a name could be one of two namespaces. */
function foreignTo({ issuer, namespace }: TrustedIssuer, namespaces: readonly string[]): readonly string[] {
  if (namespace === '') return namespaces;
  const within = namespaces.find(
    (other) => other !== namespace && (other.startsWith(namespace) || namespace.startsWith(other)),
  );
  if (within === undefined) return [];
  throw new ConfigError(
    `${owner}, issuer '${issuer}': 'subjectNamespace' '${namespace}' and '${within}' of another issuer: neither may begin with the other.`,
  );
}

/** The people of one authority must not stand for those of another: each names its groups as it likes. */
function checkGroups(issuer: string, groups: readonly string[] | undefined, count: number): void {
  if (groups === undefined && count > 1) {
    throw new ConfigError(
      `${owner}, issuer '${issuer}': there are several authorities. Name the 'groups' for which this one may approve.`,
    );
  }
  if (groups === undefined) return;
  if (!Array.isArray(groups) || groups.length === 0 || !groups.every((group) => typeof group === 'string')) {
    throw new ConfigError(`${owner}, issuer '${issuer}': 'groups' must list names, like those in @approval("…").`);
  }
}

/** A person must have one name here, whether it approves or is a subject: otherwise nobody could be excluded. */
function inNamespace(approver: ApprovalIssuer, tokenIssuers: readonly IssuerOptions[]): ApprovalIssuer {
  const { issuer, subjectNamespace } = approver;
  // Not checked yet: a wrong list is reported as such later.
  const known = Array.isArray(tokenIssuers) ? tokenIssuers.find((one) => one?.issuer === issuer) : undefined;
  if (known === undefined) return approver;
  const { subjectNamespace: namespace = '' } = known;
  if (subjectNamespace === undefined || subjectNamespace === namespace)
    return { ...approver, subjectNamespace: namespace };
  throw new ConfigError(
    `${owner}, issuer '${issuer}': its 'subjectNamespace' is another than in the 'issuers' of the guard. Leave it out here.`,
  );
}
