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
  /** The user (or agent) on whose behalf; absent when the actor acts for itself. */
  readonly onBehalfOf?: string;
  /** Hops from subject to actor: 0 when the actor acts for itself. */
  readonly depth: number;
  /** How the delegation was proved: `issuer` (asserted by a token issuer) or `signature` (the actor's own). */
  readonly proof: 'issuer' | 'signature';
  readonly request: { readonly method: string; readonly path: string };
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
}

/** Decides. Any failure is a deny (`cause: 'error'`); an engine that cannot be reached rejects. */
export interface PolicyEngine {
  /** Scopes that the policies mention, so that `context.scope` can be closed over them. */
  readonly scopeVocabulary: readonly string[];
  decide(query: PolicyQuery): PolicyDecision | Promise<PolicyDecision>;
  close?(): void | Promise<void>;
}
