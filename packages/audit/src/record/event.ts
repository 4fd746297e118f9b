/**
 * What is written down. Never tokens, signatures, query values or bodies.
 * `authentication`: a request refused before its caller was known (identity as claimed, never as actor).
 * `decision`: policy was asked. `outcome`: what became of a request that was let in.
 */
export interface AuditEvent {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly phase: 'authentication' | 'decision' | 'outcome';
  readonly decision?: 'allow' | 'deny';
  /** Reason code of a refusal. */
  readonly code?: string;
  readonly detail?: string;
  readonly actor?: { readonly id: string; readonly keyId: string };
  /** How the sender proved that it holds the actor's key; only `signature` binds the request to it whole. */
  readonly possession?: 'signature' | 'dpop' | 'web-bot-auth';
  readonly subject?: { readonly id: string; readonly type: 'user' | 'agent'; readonly issuer?: string };
  readonly chain?: readonly AuditHop[];
  readonly scope?: readonly string[];
  readonly action?: string;
  readonly resource?: { readonly type: string; readonly id: string };
  /** Where a list was filtered: how many were asked about, how many permitted, and the first of these. */
  readonly filtered?: {
    readonly asked: number;
    readonly permitted: number;
    readonly resources: readonly { readonly type: string; readonly id: string }[];
  };
  readonly policies?: readonly string[];
  readonly policySet?: string;
  /** What a refused request said about itself. `agent` holds the key it claimed, once its signature had verified. */
  readonly claimed?: { readonly keyId: string; readonly agent?: string };
  readonly request: {
    readonly id: string;
    readonly method: string;
    /** Without the query. */
    readonly path: string;
    readonly remoteAddress?: string;
  };
  readonly outcome?: AuditOutcome;
}

export interface AuditHop {
  readonly id: string;
  readonly type: 'user' | 'agent';
  readonly proof: 'issuer' | 'signature';
  readonly issuer?: string;
  readonly keyId?: string;
  readonly delegationId?: string;
  /** What this hop was given, before the scopes of the other hops narrow it. */
  readonly scope: readonly string[];
  /** Unix seconds. */
  readonly expiresAt?: number;
}

/** How a request that was let in ended. `status` is absent when no answer was started. */
export interface AuditOutcome {
  readonly result: 'finished' | 'threw' | 'aborted' | 'timed_out';
  readonly status?: number;
  /** What turned out to be wrong with a streamed body, whatever was answered. */
  readonly code?: string;
  /**
   * True: the guard was never asked about this request, so nobody decided that the agent may do what it did. Absent where
   * a decision was asked for, allowed or not, and where the route says `permit(false)`.
   */
  readonly undecided?: true;
}

/**
 * Where events go. `write` resolves once the event is durable as the sink promises; a rejection means it is not. The
 * guard takes no answer within 30 seconds for a rejection; `fanOut` sets other bounds.
 */
export interface AuditSink {
  write(event: AuditEvent): Promise<void>;
  close?(): Promise<void>;
  /** True: `write` may resolve though the record is lost. Such a sink may stand beside others, never alone. */
  readonly bestEffort?: boolean;
}
