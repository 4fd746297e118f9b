import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../caller.js';
import type { Guard } from '../guard.js';
import type { Resource } from '../policy/engine.js';
import { IncompleteResource, whatIsWrongWith } from '../policy/incomplete-resource.js';
import { isResource } from '../policy/is-resource.js';
import { type Refusal, type RefusalResponse, refusal, refusalResponse } from '../refusal.js';
import { RefusalError } from '../refusal-error.js';
import { everyRequestLeave } from './every-request.js';
import { incomingRequest } from './incoming-request.js';
import { sendRefusal } from './send-refusal.js';
import { type OutcomeWatch, watchOutcome } from './watch-outcome.js';

/** One request of a host that is built on `node:http`. */
export interface HostExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The request target as on the request line, also under a mounted router. */
  readonly target: string;
}

/** How an application wants its requests admitted; every adapter takes these options. */
export interface AdmissionOptions {
  /** `respond` (default): the refusal is the answer. `throw`: it goes to your error handler as a `RefusalError`. */
  readonly onRefusal?: 'respond' | 'throw';
  /**
   * Puts every request to policy once, coarsely: action `http.post` on `Path::"/repos/acme/api/pulls"`. For hosts
   * that cannot know their routes. Default false: a route without `permit` is authenticated only.
   */
  readonly everyRequest?: boolean;
  /**
   * Chooses the requests whose body is streamed: it flows to the handler while it is digested, and only its end waits
   * for the digest. Such a handler must do nothing final before the end. Default: none, every body is held until it
   * has verified.
   */
  readonly streamBody?: (request: IncomingMessage) => boolean;
}

/** What a host remembers of a request that its guard let in. */
export interface Admission {
  readonly guard: Guard;
  /** Undefined in mixed traffic, for a request that carries none of our marks. */
  readonly caller: Caller | undefined;
  /** Notes how it comes to its end. */
  readonly outcome: OutcomeWatch | undefined;
  /** Answers with the refusal, or throws it as a `RefusalError`, as the application chose. */
  readonly refuse: (refused: Refusal) => void;
  /** Refuses a request of mixed traffic where only agents may come; recorded. */
  readonly refuseStranger: () => Promise<Refusal>;
}

/** Sends a refusal the way the host does it. Default: straight through `node:http`. */
export type Respond = (response: RefusalResponse) => void;

// Kept beside the request, not on it: nothing that an earlier middleware or a request body puts on the object counts.
const admissions = new WeakMap<IncomingMessage, Admission>();

/**
 * Verifies a request, remembers its caller, and sees to it that its outcome is recorded. Call it before anything
 * awaits: from then on no byte of the body reaches another reader unverified. Resolves to whether the request may go
 * on; if not it has been answered. What an agent gets is not for shared caches (`Cache-Control: private`), unless the
 * application says otherwise.
 *
 * @throws RefusalError where the application wants refusals thrown.
 */
export async function admit(
  guard: Guard,
  { request, response, target }: HostExchange,
  { onRefusal = 'respond', everyRequest = false, streamBody }: AdmissionOptions = {},
  respond: Respond = (rendered) => sendRefusal(response, rendered),
): Promise<boolean> {
  const refuse = (refused: Refusal): void => {
    const rendered = guard.respond(refused);
    const outcome = admissionOf(request)?.outcome;
    if (onRefusal === 'throw') {
      const error = new RefusalError(refused, rendered);
      outcome?.refused(error);
      throw error;
    }
    outcome?.refused(rendered.status);
    respond(rendered);
  };
  const earlier = admissions.get(request);
  if (earlier !== undefined) return admittedBefore(earlier, guard, respond);
  const bodyMode = streamBody?.(request) === true ? 'stream' : 'hold';
  const incoming = incomingRequest(request, target, bodyMode);
  const authentication = await guard.authenticate(incoming);
  if (!authentication.ok) {
    refuse(authentication.refusal);
    return false;
  }
  const { caller, refuseStranger, bodyVerdict } = authentication;
  void bodyVerdict?.then((wrong) => {
    // A handler that does not listen for errors of the request would never answer, nor any framework for it.
    if (wrong?.unheard) sendRefusal(response, guard.respond(refusal(wrong.code, wrong.detail)));
  });
  if (caller !== undefined) keepFromSharedCaches(response);
  const outcome =
    caller &&
    watchOutcome(request, response, ({ outcome, refused }) => void guard.complete(caller, outcome, { refused }));
  admissions.set(request, Object.freeze({ guard, caller, outcome, refuse, refuseStranger }));
  if (!everyRequest) return true;
  return await permitted(request, everyRequestLeave(request, incoming.target), respond);
}

/**
 * Shared caches leave alone what came with Authorization (RFC 9111 §3.5), and know nothing of signatures: one in front of
 * the API could hand an agent's answer to a stranger. What the application says itself takes the place of this.
 */
function keepFromSharedCaches(response: ServerResponse): void {
  if (!response.headersSent && !response.hasHeader('cache-control')) response.setHeader('cache-control', 'private');
}

/** A guard mounted twice lets a request in once. Two guards cannot both answer for one request. */
function admittedBefore(earlier: Admission, guard: Guard, respond: Respond): boolean {
  if (earlier.guard === guard) return true;
  respond(guard.respond(refusal('internal_error', 'the request was let in by another guard before')));
  return false;
}

/** What `admit` remembered; undefined when no guard let this request in. */
export function admissionOf(request: IncomingMessage): Admission | undefined {
  return admissions.get(request);
}

/** What a route guards, if there is such a thing. */
export type MaybeResource = Resource | undefined;

/** What a route asks leave for. `resource` is made from the request by the application. */
export interface LeaveRequest {
  readonly action: string;
  /** Undefined where there is no such resource: the answer is then that of a denial. */
  readonly resource: () => MaybeResource | Promise<MaybeResource>;
  /** The scope that the caller must hold besides policy's consent, like `pr:write:draft`. */
  readonly requires?: string;
  /** In mixed traffic: refuse whoever is not an agent. Default false: they are left to the application. */
  readonly agentsOnly?: boolean;
}

/**
 * Puts a route's action to policy. Resolves to whether the handler may run; if not the request has been answered.
 * `respond` answers where no guard ran before, which is the application's mistake.
 *
 * @throws RefusalError where the application wants refusals thrown.
 */
export async function permitted(request: IncomingMessage, leave: LeaveRequest, respond: Respond): Promise<boolean> {
  const admission = admissionOf(request);
  if (admission === undefined) {
    respond(refusalResponse(refusal('not_authenticated'), ''));
    return false;
  }
  const refused = await askLeave(admission, leave);
  if (refused === undefined) return true;
  admission.refuse(refused);
  return false;
}

async function askLeave(admission: Admission, leave: LeaveRequest): Promise<Refusal | undefined> {
  const { guard, caller } = admission;
  const { action, requires, agentsOnly = false } = leave;
  if (caller === undefined) return agentsOnly ? await admission.refuseStranger() : undefined;
  let resource: MaybeResource;
  try {
    resource = await leave.resource();
  } catch (error) {
    return await guard.unresolved(caller, action, error);
  }
  if (resource === undefined) return await guard.absent(caller, action);
  if (!isResource(resource)) {
    return await guard.unresolved(caller, action, new IncompleteResource(whatIsWrongWith(resource)));
  }
  // Copied, so that what is recorded is what was decided, whatever the application does with its object meanwhile.
  const answer = await guard.authorize(caller, {
    action,
    resource: { ...resource },
    ...(requires === undefined ? {} : { requires }),
  });
  return answer.ok ? undefined : answer.refusal;
}
