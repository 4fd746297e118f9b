import type { ApprovalDisclosure, ApprovalRequest } from '@countersign/approval';

/** What people are asked to approve, from the refusal of an API. */
export interface ApprovalQuestion {
  readonly request: ApprovalRequest;
  /** The authorities whose approvals count. Empty: the API has a queue of its own, and the agent repeats the request. */
  readonly issuers: readonly string[];
  /** The page of that queue on which people decide, as the API names it. */
  readonly url?: string;
  /** The body or the arguments, which people see beside the digest of the request, and why the agent asks. */
  readonly shown?: ApprovalDisclosure;
}

export interface ApprovalOptions {
  /** Withdraws the question. Default: it is open until people decide, or its time is over. */
  readonly signal?: AbortSignal;
  /** Called once people can decide, with the page where they do. */
  readonly onAsked?: (asked: {
    readonly id: string;
    readonly url: string;
    readonly expiresInSeconds: number;
  }) => unknown;
}

/** Gets an approval for what an API asks people about. `signal` is that of the call. */
export type ApprovalHandler = (
  question: ApprovalQuestion,
  signal: AbortSignal | undefined,
) => string | undefined | Promise<string | undefined>;
