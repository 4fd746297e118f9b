/** Why a decision came out as it did. For logs and for people; it quotes the request and the policies. */
export interface Explanation {
  readonly decision: 'allow' | 'deny';
  readonly request: ExplainedRequest;
  /** The policies that decided; where an evaluation error did, those that erred. */
  readonly determining: readonly PolicyPlace[];
  /** What went wrong, where an error made this a deny. */
  readonly errors: readonly string[];
  /** Of a denial: the permits that came nearest, nearest first; at most three. */
  readonly nearest: readonly NearPermit[];
}

/** The question, as policy saw it. Entities stand as in Cedar: `Agent::"agent-a"`. */
export interface ExplainedRequest {
  readonly actor: string;
  readonly roles: readonly string[];
  /** The user or the agent on whose behalf; absent when the actor acts for itself. */
  readonly subject?: string;
  readonly action: string;
  readonly resource: string;
  readonly scope: readonly string[];
}

/** A policy and where it stands. */
export interface PolicyPlace {
  /** As decisions name it: `file.cedar#id`. */
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  /** Line of its first token, from 1. */
  readonly line: number;
}

/** A permit that did not permit. */
export interface NearPermit extends PolicyPlace {
  /** What does not hold, in the order of the policy. Empty: it holds, but a forbid overrules it. */
  readonly unmet: readonly UnmetCondition[];
}

/** One condition of a policy that does not hold for the request. */
export interface UnmetCondition {
  /** What it asks about: `scope` is `context.scope`, `subject` is on whose behalf. */
  readonly about: 'actor' | 'action' | 'resource' | 'scope' | 'subject' | 'approval' | 'other';
  /** Where it stands: in the head of the policy, or in a clause. */
  readonly clause: 'head' | 'when' | 'unless';
  /** As it is written, without comments; of an `unless`, what should not be so. */
  readonly text: string;
  /** Its line in the file, from 1. */
  readonly line: number;
  /** Set where it could not be evaluated: what Cedar says. */
  readonly error?: string;
}
