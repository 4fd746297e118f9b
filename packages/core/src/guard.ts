import type { AuditOutcome } from '@countersign/audit';
import { createRecorder, type DecidedAction } from './record/recorder.js';
import { createAuthenticator } from './stages/verify.js';
import type { BodyVerdict } from './stages/body/request-body.js';
import { createAuthorizer } from './stages/authorize/authorize.js';
import { createFilter, type Filtered, type FilterOptions } from './stages/filter/filter.js';
import type { Caller } from './model/caller.js';
import { closeParts, kindOf, errorMessage } from '@countersign/common';
import type { HttpRequest } from './model/request.js';
import { requestFacts } from './stages/address/request-facts.js';
import type { GuardOptions } from './options/guard-options.js';
import { IncompleteResource, type PolicyDecision, type Resource } from '@countersign/policy';
import { createEvaluator } from './stages/authorize/evaluate.js';
import { dpopAlgorithms } from './stages/possession/dpop-proof.js';
import { acceptSignature } from './stages/possession/profile.js';
import { type DpopChallenge, type Refusal, type RefusalResponse, refusal, refusalResponse } from './model/refusal.js';
import { readOrRelease } from './options/release.js';
import { createRequestRegister } from './record/request-register.js';
import type { Revocations } from './stages/revocation/memory-revocations.js';
import { carriesOurMark } from './stages/traffic/traffic.js';

/** Who calls, or why we do not believe it. */
export type Authentication =
  | {
      readonly ok: true;
      /** Undefined in mixed traffic, for a request that carries none of our marks and is left to the application. */
      readonly caller: Caller | undefined;
      /** Refuses a request without a caller after all, where only agents may come; recorded. */
      readonly refuseStranger: () => Promise<Refusal>;
      /**
       * Only for a streamed body. Its reader is told by an error on the request; a host answers itself where the verdict
       * is that nobody heard it.
       */
      readonly bodyVerdict?: BodyVerdict;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** What a route asks leave for. */
export interface Permission {
  /** The Cedar action, like `pr.create`. */
  readonly action: string;
  readonly resource: Resource;
  /** The scope that the caller must hold besides policy's consent. */
  readonly requires?: string;
}

export type Authorization =
  | { readonly ok: true; readonly decision: PolicyDecision }
  | { readonly ok: false; readonly refusal: Refusal };

/** What the host knows of an answer that has ended. */
export interface CompletedAnswer {
  readonly refused?: boolean;
  readonly exempt?: boolean;
}

/**
 * The pipeline: verify, authorize, record. Framework-neutral; adapters call it and translate its answers.
 * None of its methods throws or rejects because of a request.
 */
export interface Guard {
  /**
   * Verifies a request whole: signature, body, freshness, token, chain, revocation. A refusal has been recorded when it
   * comes back.
   */
  authenticate(request: HttpRequest): Promise<Authentication>;
  /** Asks policy, and writes the decision down before it answers: no record, no action. */
  authorize(caller: Caller, permission: Permission): Promise<Authorization>;
  /**
   * Which of many resources the caller may do something with, in their order: for search results and other lists. One
   * record for all of them is written before it answers. What policy cannot decide about is left out; where policy, or
   * what was revoked, cannot be told at all, the whole list is refused.
   */
  filter<Item extends Resource>(
    caller: Caller,
    action: string,
    resources: readonly Item[],
    options?: FilterOptions,
  ): Promise<Filtered<Item>>;
  /** Records that an action could not even be put to policy, because its resource could not be determined. */
  unresolved(caller: Caller, action: string, problem: unknown): Promise<Refusal>;
  /** Refuses an action on a resource that does not exist, as policy would: absent and forbidden look alike; recorded. */
  absent(caller: Caller, action: string): Promise<Refusal>;
  /** Refuses a caller on a route that asks for no permission, where such routes are closed to agents; recorded. */
  unmapped(caller: Caller, route: string): Promise<Refusal>;
  /**
   * Records how a request ended; once, and only if it was let in. Call it when the answer has ended, however it did.
   * `refused`: it was a refusal of this guard, which stands in the log already, and no handler ran; then there is an
   * outcome only if something had been allowed. Default false.
   * `exempt`: the application lets every verified agent in there, so that no decision is missing. Default false.
   * Resolves to the outcome that was recorded; undefined when there is none.
   */
  complete(caller: Caller, outcome: AuditOutcome, answer?: CompletedAnswer): Promise<AuditOutcome | undefined>;
  /** Tells the operator of what no answer can carry, through `onTrouble`. */
  report(trouble: string): void;
  /** How a refusal looks on the wire, the same on every host. */
  respond(refused: Refusal): RefusalResponse;
  /**
   * Revokes agents, keys, subjects, delegations and issuers, in the memory of this process: effective for the next
   * request, the next decision and one under way, for everything that rests on them.
   */
  readonly revocations: Revocations;
  /**
   * Releases files, watchers and sinks, once the outcomes reported so far have been recorded. Rejects if a sink cannot
   * be closed, or not within 30 seconds. Call it when the process ends, after the server: `auditFile` seals its last
   * records then. Without it they stay unsealed until the next start.
   */
  close(): Promise<void>;
}

/**
 * Creates the guard. Every option is checked now; a wrong or missing one throws a `ConfigError` that says what to do.
 * The guard closes what it is given: with `close()`, or if it cannot be created.
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
  const settings = await readOrRelease(options);
  const register = createRequestRegister();
  const recorder = createRecorder(settings);
  const verify = createAuthenticator(settings);
  const parts = { ...settings, judge: createEvaluator(settings), recorder, register };

  function dpopChallenge(): DpopChallenge | undefined {
    const { dpop, clock } = settings;
    return dpop && { algorithms: dpopAlgorithms, nonce: dpop.nonces?.current(clock() / 1000) };
  }

  async function deny(caller: Caller, decided: DecidedAction, refused: Refusal): Promise<Refusal> {
    const admitted = register.find(caller);
    if (admitted === undefined) return refusal('not_authenticated');
    admitted.asked = true;
    return await recorder.denied(caller, admitted.facts, decided, refused);
  }

  const completing = new Set<Promise<unknown>>();
  async function complete(
    caller: Caller,
    outcome: AuditOutcome,
    { refused = false, exempt = false }: CompletedAnswer,
  ): Promise<AuditOutcome | undefined> {
    const admitted = register.find(caller);
    if (admitted === undefined || admitted.completed) return undefined;
    admitted.completed = true;
    await admitted.deciding;
    // Nobody reads on, and a streamed body comes to its verdict.
    admitted.body.discard();
    const wrong = await admitted.bodyVerdict;
    if (refused && !admitted.allowed) return undefined;
    const ended: AuditOutcome = {
      ...outcome,
      ...(wrong && { code: wrong.code }),
      ...(!admitted.asked && !exempt && { undecided: true }),
    };
    await recorder.outcome(caller, admitted.facts, ended);
    return ended;
  }

  return {
    async authenticate(request) {
      const forwarded = settings.forwarded(request);
      const facts = requestFacts(request, forwarded);
      const refuseStranger = () => recorder.unverified(facts, undefined, refusal('signature_required'));
      if (settings.traffic === 'mixed' && !carriesOurMark(request.target, request.rawHeaders, settings)) {
        request.body.release();
        return { ok: true, caller: undefined, refuseStranger };
      }
      const answer = await verify(request, facts.id, forwarded.host).catch((error: unknown) => {
        settings.onTrouble(`countersign: a request could not be checked: ${errorMessage(error)}`);
        return { ok: false as const, refusal: refusal('internal_error', errorMessage(error)), claimed: undefined };
      });
      if (!answer.ok) {
        request.body.discard();
        return { ok: false, refusal: await recorder.unverified(facts, answer.claimed, answer.refusal) };
      }
      if (request.clientIsGone?.() === true) {
        // A parser behind us would find a closed connection, and the handler no body, although one was signed.
        request.body.discard();
        const gone = refusal('body_incomplete', 'the client went away before its request was let in');
        const { id: agent, keyId } = answer.caller.actor;
        return { ok: false, refusal: await recorder.unverified(facts, { keyId, agent }, gone) };
      }
      const { caller, bodyVerdict, standing } = answer;
      register.admit(caller, { facts, body: request.body, bodyVerdict, standing });
      request.body.release();
      return { ok: true, caller, refuseStranger, ...(bodyVerdict && { bodyVerdict }) };
    },
    authorize: createAuthorizer(parts),
    filter: createFilter(parts),
    unresolved(caller, action, problem) {
      const { method = '', path = '' } = register.find(caller)?.facts ?? {};
      settings.onTrouble(
        `countersign: the resource of ${action} at ${method} ${JSON.stringify(path)} could not be determined: ${errorMessage(problem)}`,
      );
      // What others' errors say may quote the request, so that it stays out of the audit log.
      const detail = problem instanceof IncompleteResource ? problem.message : kindOf(problem);
      return deny(caller, { action }, refusal('resource_unresolved', detail));
    },
    absent: (caller, action) => deny(caller, { action }, refusal('policy_denied', 'there is no such resource')),
    unmapped: (caller, route) => deny(caller, {}, refusal('route_unmapped', `${route} asks for no permission`)),
    async complete(caller, outcome, answer = {}) {
      const completion = complete(caller, outcome, answer);
      completing.add(completion);
      const ended = await completion;
      completing.delete(completion);
      return ended;
    },
    report: (trouble) => settings.onTrouble(`countersign: ${trouble}`),
    respond: (refused) => refusalResponse(refused, acceptSignature, dpopChallenge()),
    revocations: settings.revocations.own,
    async close() {
      const { agents, policy, revocations, audit } = settings;
      await closeParts([{ close: () => Promise.all(completing) }, agents, policy, revocations, recorder, audit]);
    },
  };
}
