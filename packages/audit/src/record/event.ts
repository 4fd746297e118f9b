/**
 * One entry of the audit log. It never holds tokens, signatures, query values or bodies.
 * `authentication`: a request was refused before its caller was verified (`claimed`, never `actor`). `decision`: a
 * verified caller was permitted or refused, not always by the policy. `outcome`: how a request ended that was let in.
 * `authority`: what happened at an authority, such as a decision of a person (`event`).
 */
export interface AuditEvent {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly phase: 'authentication' | 'decision' | 'outcome' | 'authority';
  /** `would_refuse`: of a guard that only observes; the request or call went on nevertheless. */
  readonly decision?: 'allow' | 'deny' | 'would_refuse';
  /** Reason code of a refusal. */
  readonly code?: string;
  readonly detail?: string;
  /** `keyId` is absent where no key was proved: see `possession`. */
  readonly actor?: { readonly id: string; readonly keyId?: string };
  /**
   * How the sender proved possession of the actor's key; only `signature` covers the whole request. `bearer`: a token
   * alone, which proves no key. `local`: the application states who calls, without a request.
   */
  readonly possession?: 'signature' | 'dpop' | 'web-bot-auth' | 'mtls' | 'bearer' | 'local';
  readonly subject?: {
    readonly id: string;
    readonly type: 'user' | 'agent';
    readonly issuer?: string;
    /** Of a guard with `subjectMustAlsoBePermitted`, for an actor that does not act for itself. */
    readonly mustBePermitted?: true;
  };
  readonly chain?: readonly AuditHop[];
  readonly scope?: readonly string[];
  readonly action?: string;
  readonly resource?: { readonly type: string; readonly id: string };
  /** If a list was filtered: how many resources were checked, how many permitted, and the first of these. */
  readonly filtered?: {
    readonly asked: number;
    readonly permitted: number;
    readonly resources: readonly { readonly type: string; readonly id: string }[];
  };
  readonly policies?: readonly string[];
  readonly policySet?: string;
  /** The consent of people: what was asked of them, or what they gave. */
  readonly approval?: AuditApproval;
  /** The unverified claim of a refused request. `agent`: the owner of that key, if the signature was valid. */
  readonly claimed?: { readonly keyId: string; readonly agent?: string };
  /** Of a local caller it has only the id. */
  readonly request: {
    readonly id: string;
    readonly method?: string;
    /** Without the query. */
    readonly path?: string;
    readonly remoteAddress?: string;
    /** Which of the guard's origins it was for; absent if there is only one. */
    readonly authority?: string;
  };
  /** The call within the request, like one tool call of MCP, if the record is about a call. */
  readonly call?: AuditCall;
  readonly outcome?: AuditOutcome;
  /** Of an authority alone. The other members are those of the request or the agent that it is about. */
  readonly event?: AuditAuthorityEvent;
}

/**
 * The consent that a decision needed. `binding` joins the records of one request that people were asked about; `id` and
 * `issuer` are of an approval that came with it, and `approvers` of one that counted. Times are unix seconds.
 */
export interface AuditApproval {
  readonly binding: string;
  readonly id?: string;
  readonly issuer?: string;
  readonly approvers?: readonly {
    readonly id: string;
    readonly groups: readonly string[];
    readonly decidedAt: number;
    /** How and when the approver signed in (OpenID Connect). */
    readonly amr?: readonly string[];
    readonly acr?: string;
    readonly authTime?: number;
    readonly reason?: string;
  }[];
  /** One named person decided alone, in an emergency. */
  readonly breakGlass?: true;
}

/** What happened at an authority, and who did it. */
export interface AuditAuthorityEvent {
  /** Like `approval.denied`. */
  readonly name: string;
  readonly by: {
    readonly id: string;
    /** `authority`: it itself, such as an expiry. */
    readonly type: 'user' | 'agent' | 'administrator' | 'authority';
    /** Of the groups that were asked, those that the person was in. */
    readonly groups?: readonly string[];
    /** How and when the person signed in (OpenID Connect). */
    readonly amr?: readonly string[];
    readonly acr?: string;
    readonly authTime?: number;
  };
}

/** One call within a request. Its decisions and its outcome share `id`. */
export interface AuditCall {
  readonly id: string;
  /** Of the protocol, like `tools/call`. */
  readonly method: string;
  /** What was called, like the name of a tool. */
  readonly name?: string;
  /** base64url SHA-256 of the arguments; their values are never recorded. */
  readonly argumentsDigest?: string;
  /** W3C Trace Context, as the client sent it. */
  readonly traceparent?: string;
}

export interface AuditHop {
  readonly id: string;
  readonly type: 'user' | 'agent';
  readonly proof: 'issuer' | 'signature' | 'local';
  readonly issuer?: string;
  readonly keyId?: string;
  readonly delegationId?: string;
  /** What that delegation was made from by exchange, most recent first, as its issuer says. `issuer`: if it is another. */
  readonly ancestors?: readonly AuditAncestor[];
  /** An agent registered here that its issuer may mean. Policy sees both names in `via`. */
  readonly registeredAs?: string;
  /** The scope given to this hop, before the other hops narrow it. */
  readonly scope: readonly string[];
  /** Unix seconds. */
  readonly expiresAt?: number;
}

/** Each can be revoked by each of its members. */
export interface AuditAncestor {
  readonly issuer?: string;
  readonly delegationId?: string;
  /** The key to which it was bound. */
  readonly keyId?: string;
}

/**
 * How a request ended that was let in, or a call within it. `status` is absent if no response was started. Of calls only:
 * `failed` (the answer is an error), `cancelled`, and `not_started` (allowed, but it never ran).
 */
export interface AuditOutcome {
  readonly result: 'finished' | 'threw' | 'aborted' | 'timed_out' | 'failed' | 'cancelled' | 'not_started';
  readonly status?: number;
  /** Refusal code of a streamed body, whatever the response was. */
  readonly code?: string;
  /**
   * True: no decision was requested, so no policy allowed what the agent did. Absent after any decision, and if the route
   * says `permit(false)`.
   */
  readonly undecided?: true;
}

/**
 * Receives events. `write` resolves once the event is as durable as the sink promises, and rejects otherwise. The guard
 * treats no answer within 30 seconds as a rejection; `fanOut` can set another timeout.
 */
export interface AuditSink {
  write(event: AuditEvent): Promise<void>;
  /** Called when the last guard or authority that has it is closed. No guard takes it afterwards. */
  close?(): Promise<void>;
  /** True: `write` may resolve although the record is lost. Such a sink is accepted beside others, never alone. */
  readonly bestEffort?: boolean;
  /** What the sink has taken and not finished. */
  backlog?(): SinkBacklog;
}

/** What a sink has taken and not finished. What does not apply to it is absent. */
export interface SinkBacklog {
  /** Records on disk that no checkpoint seals yet. */
  readonly unsealed?: number;
  /** Records that some witness has no checkpoint of. */
  readonly unwitnessed?: number;
  /** Bytes on disk that the receiver has not taken, by the blocks that they occupy. */
  readonly unsentBytes?: number;
}

/** The state of one sink. */
export interface SinkStatus extends SinkBacklog {
  /** Of the rule of `fanOut`; `audit` for a single sink. */
  readonly name: string;
  /** Records that wait for the sink. */
  readonly waiting: number;
  /** Records that the sink did not keep, as far as it said so: since the start. */
  readonly lost: number;
}

/** A sink that tells its state, and that of each sink within. */
export interface ObservableSink extends AuditSink {
  status(): readonly SinkStatus[];
}
