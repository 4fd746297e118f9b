import type { AuditOutcome } from '@countersign/audit';
import { boundString, FailureThrottles } from '@countersign/common';
import { composeGuard } from './compose.js';
import type { GuardStatus } from './guard/served-requests.js';
import type { Caller } from './model/caller.js';
import type { Refusal } from './model/refusal.js';
import type { RefusalResponse } from './model/refusal-response.js';
import type { HttpRequest } from './model/request.js';
import type { GuardOptions } from './options/guard-options.js';
import type { Discovery, ProtectedResource } from './options/protected-resource.js';
import type { Authentication } from './guard/authentication.js';
import type { Decisions } from './guard/decisions.js';
import type { LocalIdentity } from './guard/local.js';
import type { CompletedAnswer } from './guard/outcomes.js';
import type { Revocations } from './stages/revocation/memory-revocations.js';

/**
 * The pipeline: verify, authorize, record. Framework-neutral; adapters call it and translate its answers.
 * None of its methods throws or rejects because of a request.
 */
export interface Guard extends Decisions {
  /**
   * Verifies a request whole: signature, body, freshness, token, chain, revocation. A refusal has been recorded when it
   * comes back.
   */
  authenticate(request: HttpRequest): Promise<Authentication>;
  /**
   * Records how a request ended; once, and only if it was let in. Call it when the answer has ended, however it did.
   * `refused`: it was a refusal of this guard, which stands in the log already, and no handler ran; then there is an
   * outcome only if something had been allowed. Default false.
   * `exempt`: the application lets every verified agent in there, so that no decision is missing. Default false.
   * Resolves to the outcome that was recorded; undefined when there is none.
   */
  complete(caller: Caller, outcome: AuditOutcome, answer?: CompletedAnswer): Promise<AuditOutcome | undefined>;
  /**
   * A caller for what comes by other ways than HTTP, such as standard input: the application states who it is, and nothing
   * proves it. Begin a call for each thing that it does.
   *
   * @throws ConfigError when the identity is wrong.
   * @example
   * ```ts
   * const caller = guard.local({ agent: 'agent-desktop', subject: 'user_123', scope: ['repo:read'] });
   * ```
   */
  local(identity: LocalIdentity): Caller;
  /**
   * Reports a trouble that no answer can carry to `onTrouble`. With a cause it is one that requests bring about: the
   * first, the second, the fourth … of them is reported.
   */
  report(trouble: string, cause?: string): void;
  /** Whether it refuses, or only records what it would refuse. */
  readonly mode: 'enforce' | 'observe';
  /** How a refusal looks on the wire, the same on every host. */
  respond(refused: Refusal): RefusalResponse;
  /** What the option `protectedResource` publishes (RFC 9728); undefined without it. */
  readonly protectedResource: ProtectedResource | undefined;
  /** What clients may know before they sign. The adapters serve it, where `agentAuth` is mounted at the root. */
  readonly discovery: Discovery;
  /**
   * Revokes agents, keys, subjects, delegations and issuers, in the memory of this process: effective for the next
   * request, the next decision and one under way, for everything that rests on them.
   */
  readonly revocations: Revocations;
  /** How busy the guard is, and how far its records are behind. Cheap: for metrics and health checks. */
  status(): GuardStatus;
  /**
   * Ends the work of the guard; call it when the process ends. From now on every request to an adapter is refused with 503
   * `shutting_down`, without a record. Those that were let in may end within 8 seconds; then their connections are cut, and
   * their outcome is `aborted`. When the last outcome is recorded, `auditFile` seals its last records. Without it they stay
   * unsealed until the next start. Then the other parts are closed. A part that another guard holds stays open. Rejects if
   * a part cannot be closed, or not within 30 seconds. A second call does nothing, and settles like the first.
   *
   * @example
   * ```ts
   * process.once('SIGTERM', async () => {
   *   const served = once(server.close(), 'close');
   *   await guard.close().catch(console.error);
   *   await Promise.race([served, delay(5_000)]); // requests of people
   *   process.exit(); // timers and pools would keep the process
   * });
   * ```
   */
  close(): Promise<void>;
}

/**
 * Creates the guard. Every option is checked now; a wrong or missing one throws a `ConfigError` that says what to do.
 * The guard closes what it is given: with `close()`, or if it cannot be created. What another guard holds stays open. A
 * closed source or sink is refused: open it again.
 *
 * @example
 * ```ts
 * const guard = await createGuard({
 *   origin: 'https://api.acme.dev',
 *   agents: await agentsFromFile('agents.json'),
 *   policy: await cedarFromDirectory('policies'),
 *   audit: auditFile('audit'),
 * });
 * ```
 */
export async function createGuard(options: GuardOptions): Promise<Guard> {
  const parts = await composeGuard(options);
  const { authenticate, decisions, outcomes, local, respond, mode, onTrouble } = parts;
  const troubles = new FailureThrottles(Date.now);
  let closed: Promise<void> | undefined;

  function report(trouble: string, cause?: string): void {
    if (cause === undefined) return onTrouble(`countersign: ${trouble}`);
    const throttle = troubles.of(trouble);
    // Recovery is inferred from silence.
    throttle.recordSuccess();
    if (!throttle.recordFailure()) return;
    const count = throttle.times === 1 ? '' : ` (${throttle.times} so far)`;
    onTrouble(`countersign: ${trouble}${count}: ${boundString(cause, longestCause)}`);
  }

  if (mode === 'observe') onTrouble(observing);
  return {
    authenticate,
    ...decisions,
    complete: (caller, outcome, answer) => outcomes.complete(caller, outcome, answer),
    local,
    report,
    mode,
    respond,
    protectedResource: parts.protectedResource,
    discovery: parts.discovery,
    revocations: parts.revocations,
    status: parts.status,
    close: () => (closed ??= parts.close()),
  };
}

/** In UTF-16 units: it may quote the request. */
const longestCause = 1024;

const observing =
  "countersign: mode is 'observe': every request goes on, and what would be refused is recorded as would_refuse. " +
  "Set it to 'enforce' to refuse.";
