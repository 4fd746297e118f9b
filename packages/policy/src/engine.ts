import type { ApprovalRequirement } from '@countersign/approval';
import type { Explanation } from './explanation.js';

/**
 * The object that a route guards. `attributes` and `parents` come from the application, never from the request. The one
 * exception is a resource that is the call itself: its attributes are its arguments, each one chosen by the application.
 */
export interface Resource {
  readonly type: string;
  readonly id: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly parents?: readonly { readonly type: string; readonly id: string }[];
}

/** One question to the policies: may this actor, with this delegation, perform the action on the resource? */
export interface PolicyQuery {
  readonly principal: {
    /** `User` for the second query that `subjectMustAlsoBePermitted` makes about the subject. Default `Agent`. */
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
  /** Every known scope that the effective scope covers, so that policies can test set membership. */
  readonly scope: readonly string[];
  /** The user on whose behalf the actor acts; absent when there is none. */
  readonly onBehalfOf?: string;
  /** The agent at the start of the chain, if it is not a user; absent when the actor acts for itself. */
  readonly onBehalfOfAgent?: string;
  /** Hops from subject to actor: 0 when the actor acts for itself. */
  readonly depth: number;
  /** The agents between subject and actor, oldest first. History: a forbid may read it, a permit may not. */
  readonly via: readonly string[];
  /** `issuer`: a token issuer asserts a hop. `signature`: agents' keys signed all of them. `local`: nobody did. */
  readonly proof: 'issuer' | 'signature' | 'local';
  /** How the sender proved possession of its key. `bearer`: a token alone. `local`: the application states who calls. */
  readonly possession: 'signature' | 'dpop' | 'web-bot-auth' | 'mtls' | 'bearer' | 'local';
  /** The authorization detail (RFC 9396) that matches this request; absent if nothing was delegated in detail. */
  readonly authorizationDetails?: MatchingDetails;
  /** Both are empty for a local caller. */
  readonly request: { readonly method: string; readonly path: string };
}

/**
 * The members of RFC 9396 §2.2 of one matching detail; absent if it sets no limit. If several match, policy is asked first
 * about what any of them allows, and then about each: the guard permits what policy permits both times.
 */
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
  /** `error`: a deny because of an evaluation error or an engine fault. */
  readonly cause: 'policy' | 'error';
  /** The determining policies, by file and `@id`. */
  readonly policies: readonly string[];
  /** Hash of the policy set that decided. */
  readonly policySet: string;
  /** Error texts for logs and the audit record. */
  readonly errors: readonly string[];
  /** Of an allow that counts only together with the consent of people. Absent: it counts alone. */
  readonly approval?: ApprovalRequirement;
  /** Explains the decision. Computed on call; never throws. Absent if the engine cannot explain. */
  explain?(): Explanation;
}

/** Why a guard cannot work with policies; undefined if it can. It is asked at the start, and before each change. */
export type PolicyChangeCheck = (policies: Pick<PolicyEngine, 'asksApproval'>) => string | undefined;

/** Decides queries. Any failure is a deny (`cause: 'error'`); an engine that cannot be reached rejects. */
export interface PolicyEngine {
  /** Scopes that the policies mention; `context.scope` is closed over them. A change yields a new array. */
  readonly scopeVocabulary: readonly string[];
  /** Whether the engine evaluates `principal.type`. Required for `subjectMustAlsoBePermitted`. Default false. */
  readonly knowsUsers?: boolean;
  /** Whether some policy asks for approval: the guard then needs the option `approvals`. Default false. */
  readonly asksApproval?: boolean;
  /**
   * Refuses each later change of the policies for which `problemOf` has a problem; the old ones remain in force. Returns
   * what ends that. Absent if the engine cannot refuse a change.
   */
  checkChanges?(problemOf: PolicyChangeCheck): () => void;
  decide(query: PolicyQuery): PolicyDecision | Promise<PolicyDecision>;
  /**
   * Decides one query for many resources, in their order and by one policy set. `signal` aborts when nobody waits for the
   * decisions any more: what is left to ask need not be asked. Default: `decide` for each.
   */
  decideMany?(
    query: Omit<PolicyQuery, 'resource'>,
    resources: readonly Resource[],
    signal?: AbortSignal,
  ): Promise<readonly PolicyDecision[]>;
  /** Called when the last guard that has it is closed. No guard takes it afterwards. */
  close?(): void | Promise<void>;
}
