import { closeParts, containRejection, holdParts, isPromise, type Part } from '@countersign/common';
import type { ScopeMatch } from '@countersign/delegation';
import type { AuditSink, ObservableSink } from '@countersign/audit';
import type { RedactOptions } from '../record/redact-options.js';
import type { AgentDirectory, CertificateAgents } from '../keys/directory.js';
import type { PolicyEngine } from '@countersign/policy';
import type { ApprovalsOptions, ApprovalsValues } from '../stages/approve/approval-options.js';
import type { Origin } from '../stages/address/origin.js';
import type { EntityProvider } from '../stages/authorize/entity-provider.js';
import type { DpopOptions, DpopValues } from '../stages/possession/dpop-options.js';
import type { WebBotAuthOptions, WebBotAuthSettings } from '../stages/possession/by-web-bot-auth.js';
import type { ReplayStore } from '../stages/replay/store.js';
import type { RevocationSource } from '../stages/revocation/revocable.js';
import type { ProtectedResource, ProtectedResourceOptions } from './protected-resource.js';
import type { IssuerOptions } from '../stages/token/issuers.js';

/** What `createGuard` takes. `option-table.ts` says how each is read. */
export interface GuardOptions {
  /** What requests must be addressed to, like `https://api.acme.dev`. Also the default audience of tokens. */
  readonly origin: string | readonly string[];
  /** Who the agents are and which keys they hold. */
  readonly agents: AgentDirectory;
  /** What decides. */
  readonly policy: PolicyEngine;
  /** Where decisions are written. Several sinks: every one must take a record before an action runs. */
  readonly audit: AuditSink | readonly AuditSink[];
  /**
   * `observe` verifies, decides and records, and refuses nothing: a request that would have been refused goes on, without
   * a caller if it did not verify, and its record says `would_refuse`. Default `enforce`.
   */
  readonly mode?: 'enforce' | 'observe';
  /** What is hidden from every record, before any sink gets it. Default: nothing. */
  readonly redact?: RedactOptions;
  /** Who may issue tokens. Default: nobody, so that agents act only for themselves. */
  readonly issuers?: readonly IssuerOptions[];
  /** What a token's `aud` must name. Default: the origins. */
  readonly audience?: string | readonly string[];
  /** Most delegations between subject and actor, 0 to 16; 0: agents act for themselves only. Default 5. */
  readonly maxDelegationDepth?: number;
  /** Longest lifetime (`exp` minus `iat`) of a link by which an agent hands on, in seconds. Default 3600. */
  readonly maxLinkLifetimeSeconds?: number;
  /** Whether a scope covers those below it (`hierarchical`, default: `pr:write` covers `pr:write:draft`) or itself only. */
  readonly scopeMatch?: ScopeMatch;
  /**
   * Adds attributes and parents to each resource that a route, or a row of a list, does not give both of. Asked for each
   * decision and resource. A resource that it does not know is refused as policy would.
   */
  readonly entities?: EntityProvider;
  /**
   * The subject must be permitted, too, what the agent does for it, so that an agent can do nothing that its user could
   * not. Policy is then asked a second time, with the subject as principal. Default false.
   */
  readonly subjectMustAlsoBePermitted?: boolean;
  /** Who may approve what policies annotate with `@approval`. Default: nobody; then no policy may ask. */
  readonly approvals?: ApprovalsOptions;
  /** Remembers used signatures. Default: in memory, right for one process. */
  readonly replay?: ReplayStore;
  /**
   * How long `agents`, `replay`, `policy`, `entities`, each source of `revocations`, a queue and the store of `approvals`
   * and the resource function of a route may take for one answer, in seconds, 1 to 60; then the request is refused with 503. Default 10.
   */
  readonly lookupTimeoutSeconds?: number;
  /** Accept DPoP proofs (RFC 9449) in place of signatures. They bind no body. Default: none is accepted. */
  readonly dpop?: true | DpopOptions;
  /** Accept Web Bot Auth signatures, which say who sent a request and give no authority. Default: none is accepted. */
  readonly webBotAuth?: true | WebBotAuthOptions;
  /**
   * Accept the client certificate of a TLS connection in place of a signature, from agents that this names, as
   * `agentsFromSpiffe` does. It binds no body and leaves the request to TLS; policy can tell by
   * `context.possession == "mtls"`. Not with `bearer`, nor with `traffic: 'mixed'`. Default: none is accepted.
   */
  readonly mtls?: CertificateAgents;
  /**
   * Accept a plain bearer token of a trusted issuer without any proof of a key: its client then acts for its subject.
   * Whoever copies the token can use it, and nothing binds a request to its sender; policy can tell by
   * `context.possession == "bearer"`. Tokens that name an actor or are bound to a key, and clients that are registered
   * as agents, still need their proof. Needs `issuers`; not with `traffic: 'mixed'`. Default false.
   */
  readonly bearer?: boolean;
  /**
   * Publishes where clients get tokens (RFC 9728): challenges then name the metadata, and `guard.protectedResource` has
   * the document. Default: not published.
   */
  readonly protectedResource?: ProtectedResourceOptions;
  /** Where revocations are kept besides `guard.revocations`. Every source is asked. Default: nowhere. */
  readonly revocations?: RevocationSource | readonly RevocationSource[];
  /**
   * `agents` (default): every request must be signed. `mixed`: a request that carries none of our marks (no signature
   * with our tag, no `Agent-*` field, no token that names an actor or is bound to a key, no other proof that is accepted
   * here) goes on untouched, to the application's own authentication. Anything that carries a mark must pass whole.
   */
  readonly traffic?: 'agents' | 'mixed';
  /**
   * Addresses and CIDR ranges of your own proxies. Their X-Forwarded-Host says what the client addressed, their
   * X-Forwarded-For who it was. Default: none, so that forwarded fields count for nothing.
   */
  readonly trustedProxies?: readonly string[];
  /** Oldest signature accepted, in seconds. Default 60. */
  readonly maxAgeSeconds?: number;
  /** How far clocks may differ, in seconds. Default 5. */
  readonly clockSkewSeconds?: number;
  /** Largest body, in bytes. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /**
   * Most bytes of a body that are held in memory, and 128 times as many of all together; what is larger, or finds no room,
   * is held in an unlinked temporary file. Default 1 MiB.
   */
  readonly memoryBodyBytes?: number;
  /** Where those files are made. Default: the temporary directory of the system. */
  readonly spoolDirectory?: string;
  /** Longest time for a body to arrive, in seconds; of a streamed body, the longest silence of its sender. Default 30. */
  readonly bodyTimeoutSeconds?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Told of troubles that no answer can carry, such as an outcome that could not be recorded. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
  /**
   * Actions that run even if their record cannot be written. Each time is counted, and the counts are told to
   * `onTrouble`, and nowhere else. Default: none, so that without a record there is no action.
   */
  readonly dangerouslyActWithoutRecord?: readonly string[];
  /**
   * Adds to the body of a 403 why policy refused: policies, conditions, and what the request has. For development, as
   * it tells callers how to go about it. Default false.
   */
  readonly dangerouslyExplainRefusals?: boolean;
  /** Accept a plain http origin that is not loopback. Tokens then cross the network in clear. Default false. */
  readonly dangerouslyAllowHttpOrigin?: boolean;
}

/** The options, checked, with their defaults. Undefined: left out, and there is no plain default. */
export interface GuardValues extends Omit<Required<GuardOptions>, keyof ReadValues>, ReadValues {}

/** The options that are read into something else. */
interface ReadValues {
  readonly origin: readonly Origin[];
  readonly audit: ObservableSink;
  readonly redact: RedactOptions | undefined;
  readonly audience: readonly string[] | undefined;
  readonly entities: EntityProvider | undefined;
  readonly approvals: ApprovalsValues | undefined;
  readonly replay: ReplayStore | undefined;
  readonly dpop: DpopValues | undefined;
  readonly webBotAuth: WebBotAuthSettings | undefined;
  readonly mtls: CertificateAgents | undefined;
  readonly revocations: readonly RevocationSource[];
  readonly protectedResource: ProtectedResource | undefined;
  readonly onTrouble: (message: string) => void;
}

/** What a guard closes, in this order. Unchecked: options may be anything. */
export function partsIn(options: Partial<GuardOptions> | null): readonly Part[] {
  const { audit, agents, mtls, policy, revocations } = options ?? {};
  const parts: readonly unknown[] = [audit, agents, mtls, policy, revocations].flat();
  return parts.filter(isPart);
}

/** Parts that were not awaited are closed once they are made. If one fails, the process must not end before our error is read. */
export function closePromised(options: Partial<GuardOptions> | null): void {
  for (const promised of Object.values(options ?? {}).flat()) {
    if (isPromise(promised)) containRejection(promised.then(closeMade));
  }
}

async function closeMade(made: unknown): Promise<void> {
  if (!isPart(made)) return;
  holdParts([made]);
  await closeParts([made]);
}

function isPart(value: unknown): value is Part {
  return Object(value) === value;
}
