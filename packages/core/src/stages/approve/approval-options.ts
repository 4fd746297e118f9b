import { hash } from 'node:crypto';
import type { ApprovalClaims, ApprovalRequest, ApprovalUseResult, ApprovalUses } from '@countersign/approval';
import { andThen, checkOptionNames, ConfigError } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type { ReplayResult, ReplayStore } from '../replay/store.js';
import { type IssuerOptions, readIssuers, type TrustedIssuer } from '../token/issuers.js';

/** An authority whose approvals count. Its keys are found as those of an issuer of tokens. */
export type ApprovalIssuer = Pick<
  IssuerOptions,
  'issuer' | 'jwks' | 'jwksUri' | 'subjectNamespace' | 'dangerouslyAllowHttp' | 'dangerouslyAllowPrivateAddresses'
>;

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

/** Asked at each decision that needs consent: the first time it notes the request, later it tells what became of it. */
export type ApprovalQueue = (asked: QueuedApproval) => QueueAnswer | Promise<QueueAnswer>;

/** The options, checked. */
export interface ApprovalsValues {
  readonly issuers: ReadonlyMap<string, TrustedIssuer>;
  readonly queue: ApprovalQueue | undefined;
  readonly uses: ApprovalUses | undefined;
  readonly breakGlass: readonly string[];
}

const owner = "createGuard: 'approvals'";
const optionNames = ['issuers', 'queue', 'uses', 'breakGlass'] as const satisfies readonly (keyof ApprovalsOptions)[];
const issuerNames = [
  'issuer',
  'jwks',
  'jwksUri',
  'subjectNamespace',
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

/** @throws ConfigError when an option is wrong, or policies ask for approval and nobody may give it. */
export function readApprovals(
  approvals: ApprovalsOptions | undefined,
  asksApproval: boolean | undefined,
): ApprovalsValues | undefined {
  if (approvals === undefined) {
    if (asksApproval !== true) return undefined;
    throw new ConfigError(
      `${owner} is missing: a policy has @approval, and nobody may approve. Name an authority: { issuers: [{ issuer }] }.`,
    );
  }
  if (typeof approvals !== 'object' || approvals === null) {
    throw new ConfigError(`${owner} must be { issuers: [{ issuer }] }, or come from approvalsFrom().`);
  }
  checkOptionNames(owner, approvals, optionNames);
  const { issuers = [], queue, uses, breakGlass = [] } = approvals;
  if (queue !== undefined && typeof queue !== 'function')
    throw new ConfigError(`${owner}: 'queue' must be a function.`);
  if (uses !== undefined && typeof uses?.use !== 'function') {
    throw new ConfigError(`${owner}: 'uses' has no method use(). Try await approvalUsesInFolder('approvals-used').`);
  }
  if (!Array.isArray(breakGlass) || !breakGlass.every(isIdentifier)) {
    throw new ConfigError(`${owner}: 'breakGlass' must list the ids of people.`);
  }
  const read = readApprovalIssuers(issuers);
  if (read.size === 0 && queue === undefined) {
    throw new ConfigError(`${owner}: nobody may approve. Name an authority, or use approvalsFrom().`);
  }
  return { issuers: read, queue, uses, breakGlass: [...breakGlass] };
}

function readApprovalIssuers(issuers: readonly ApprovalIssuer[]): ReadonlyMap<string, TrustedIssuer> {
  if (!Array.isArray(issuers)) throw new ConfigError(`${owner}: 'issuers' must be a list.`);
  for (const issuer of issuers) checkOptionNames(`${owner}, issuers`, issuer, issuerNames);
  return readIssuers(issuers.map((issuer) => ({ ...issuer, algorithms: ['EdDSA', 'Ed25519'] })));
}

const useResults: Readonly<Record<ReplayResult, ApprovalUseResult>> = {
  reserved: 'first',
  replayed: 'repeated',
  before_epoch: 'before_epoch',
  full: 'full',
};

/** A replay store remembers approvals as it does signatures: by who gave them and their id. */
export function usesInReplayStore(replay: ReplayStore): ApprovalUses {
  return {
    use: ({ issuer, id, issuedAt, until, now }) => {
      const keyId = `approval ${hash('sha256', issuer, 'base64url')}`;
      return andThen(
        replay.reserve({ keyId, nonce: id, created: issuedAt, until, now }),
        (result) => useResults[result],
      );
    },
  };
}
