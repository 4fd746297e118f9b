import type { ApprovalRequirement } from '@countersign/approval';

/** Why a request was allowed or denied. For logs and policy authors; it quotes the request and the policies. */
export interface Explanation {
  readonly decision: 'allow' | 'deny';
  readonly request: ExplainedRequest;
  /** The determining policies; if an evaluation error decided, the policies that failed. */
  readonly determining: readonly PolicyPlace[];
  /** Error texts, if an error caused the deny. */
  readonly errors: readonly string[];
  /** The consent that an allow needs; absent if it needs none. */
  readonly approval?: ApprovalRequirement;
  /** For a deny: at most three permits that failed by the fewest conditions, nearest first. */
  readonly nearest: readonly NearPermit[];
}

/** The request as the policies saw it. Entities are written as in Cedar: `Agent::"agent-a"`. */
export interface ExplainedRequest {
  readonly actor: string;
  readonly roles: readonly string[];
  /** The user or agent on whose behalf the actor acts; absent when it acts for itself. */
  readonly subject?: string;
  readonly action: string;
  readonly resource: string;
  readonly scope: readonly string[];
}

/** A policy and its location. */
export interface PolicyPlace {
  /** The id that decisions report: `file.cedar#id`. */
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  /** Line of its first token, from 1. */
  readonly line: number;
}

/** A permit that did not apply, or that a forbid overrode. */
export interface NearPermit extends PolicyPlace {
  /** The unmet conditions, in the order of the policy. Empty: the permit applies, but a forbid overrides it. */
  readonly unmet: readonly UnmetCondition[];
}

/** One condition of a policy that does not hold for the request. */
export interface UnmetCondition {
  /** What the condition reads: `scope` is `context.scope`, `subject` is `context.onBehalfOf` or `onBehalfOfAgent`. */
  readonly about: 'actor' | 'action' | 'resource' | 'scope' | 'subject' | 'approval' | 'other';
  /** The part of the policy: `head` is its scope (principal, action, resource); else the kind of clause. */
  readonly clause: 'head' | 'when' | 'unless';
  /** The source text without comments. Under `unless`, it holds but must not. */
  readonly text: string;
  /** Its line in the file, from 1. */
  readonly line: number;
  /** Cedar's error, if the condition could not be evaluated. */
  readonly error?: string;
}
