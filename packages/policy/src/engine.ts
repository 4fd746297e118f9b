import type { Explanation } from './explanation.js';

/** What a route guards. `attributes` and `parents` come from the application, never from the request. */
export interface Resource {
  readonly type: string;
  readonly id: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly parents?: readonly { readonly type: string; readonly id: string }[];
}

/** One question to policy: may this actor, so delegated, do this to that? */
export interface PolicyQuery {
  readonly principal: {
    /** `User`: asked besides, where the subject must also be permitted. Default `Agent`. */
    readonly type?: 'Agent' | 'User';
    readonly id: string;
    readonly roles: readonly string[];
    readonly capabilities: readonly string[];
    readonly owner?: string;
  };
  readonly action: string;
  readonly resource: Resource;
  readonly context: PolicyContext;
}

export interface PolicyContext {
  /** Every known scope that the effective scope covers, so that set membership suffices. */
  readonly scope: readonly string[];
  /** The user on whose behalf; absent when there is none. */
  readonly onBehalfOf?: string;
  /** The other agent on whose behalf, where a chain begins with an agent; absent when the actor acts for itself. */
  readonly onBehalfOfAgent?: string;
  /** Hops from subject to actor: 0 when the actor acts for itself. */
  readonly depth: number;
  /** The agents between subject and actor, oldest first. History: it may make a policy forbid, never permit. */
  readonly via: readonly string[];
  /** How the last hop was proved: `issuer` (asserted by a token issuer) or `signature` (by the key of an agent). */
  readonly proof: 'issuer' | 'signature';
  /** How the sender proved that it holds its key. */
  readonly possession: 'signature' | 'dpop' | 'web-bot-auth';
  /** What was handed over in detail (RFC 9396), of the details that match this request; absent without any. */
  readonly authorizationDetails?: MatchingDetails;
  readonly request: { readonly method: string; readonly path: string };
}

/** The members of RFC 9396 §2.2, each over all details that match; absent where one of these does not limit it. */
export interface MatchingDetails {
  readonly types: readonly string[];
  readonly actions?: readonly string[];
  readonly identifiers?: readonly string[];
  readonly locations?: readonly string[];
  readonly datatypes?: readonly string[];
  readonly privileges?: readonly string[];
}

export interface PolicyDecision {
  readonly decision: 'allow' | 'deny';
  /** `error`: an evaluation error or an engine fault made this a deny. */
  readonly cause: 'policy' | 'error';
  /** The determining policies, by file and `@id`. */
  readonly policies: readonly string[];
  /** Hash of the policy set that decided. */
  readonly policySet: string;
  /** What went wrong, for logs and the audit record. */
  readonly errors: readonly string[];
  /** Why, in detail. Worked out when it is called; never throws. Absent where an engine cannot say. */
  explain?(): Explanation;
}

/** Decides. Any failure is a deny (`cause: 'error'`); an engine that cannot be reached rejects. */
export interface PolicyEngine {
  /** Scopes that the policies mention, so that `context.scope` can be closed over them. Other scopes, another array. */
  readonly scopeVocabulary: readonly string[];
  /** True: it heeds `principal.type`. Needed for `subjectMustAlsoBePermitted`, lest a user be taken for an agent. */
  readonly knowsUsers?: boolean;
  decide(query: PolicyQuery): PolicyDecision | Promise<PolicyDecision>;
  /** Decides one question for many resources, in their order and by one policy set. Default: `decide` for each. */
  decideMany?(query: Omit<PolicyQuery, 'resource'>, resources: readonly Resource[]): Promise<readonly PolicyDecision[]>;
  close?(): void | Promise<void>;
}
