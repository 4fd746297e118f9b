import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Guard } from '../guard.js';
import type { Caller, Subject } from '../model/caller.js';
import type { Refusal } from '../model/refusal.js';
import { type Respond, sendRefusal } from './send-refusal.js';
import type { OutcomeWatch } from './watch-outcome.js';

/** A request that its guard admitted. */
export interface Admission {
  readonly guard: Guard;
  /** Undefined for a request that is left to the application: see `Authentication`. */
  readonly caller: Caller | undefined;
  /** The id that the records of the request have. */
  readonly requestId: string;
  /** Notes how the request ends; undefined without a caller. */
  readonly outcome: OutcomeWatch | undefined;
  /**
   * Answers with the refusal, or throws it as a `RefusalError`, as the application chose. `respond`: of the step that
   * refuses, because an outer host may have handed the response over. Default: `responderOf` the request.
   */
  readonly refuse: (refused: Refusal, respond?: Respond) => void;
  /** Refuses an unmarked request of mixed traffic on a route for agents only; recorded. Undefined: the guard observes. */
  readonly refuseUnmarked: () => Promise<Refusal | undefined>;
}

/** What permits before the routes have opened. */
export interface Coverage {
  /** The paths below which the decision of a `permit` before all routes applies to every route. */
  readonly covered: readonly string[];
  /** Whether a `permit(false)` has admitted every verified agent. */
  readonly exempt: boolean;
}

/** What has been decided for an admitted request so far. */
export interface Progress extends Coverage {
  readonly response: ServerResponse;
  /** The target that was verified, even if an inner host shows another one. */
  readonly target: string;
  /** Answers as the host whose `agentAuth` saw the request last. */
  respond: Respond;
  /** Whether routes without a permit are closed to this request. */
  closed: boolean;
  covered: readonly string[];
  exempt: boolean;
  /** What was open when the request entered each router that it is within. */
  outside: readonly Coverage[];
  /** The method for which the coarse decision of `everyRequest` was made last. It says nothing about another one. */
  coarseMethod: string | undefined;
  /** Whether a permit has allowed this request. */
  allowed: boolean;
  /** Whether a guard that observes would have refused this request. */
  wouldRefuse: boolean;
  /** The refusal of this request. It is final, even if an error handler lets a thrown one go on. */
  refused: Refusal | undefined;
  /** Whether it has been answered with a refusal: a host may answer later than it was told to. */
  answered: boolean;
}

const nothing: readonly never[] = [];

interface Admitted {
  readonly admission: Admission;
  /** Not a part of `admission`, because applications can reach that one and must not write here. */
  readonly progress: Progress;
}

// An earlier middleware or a request body cannot forge an entry. Not a private field of the request: in Express, which
// gives requests another prototype, V8 makes a new hidden class for each request with each member that is added.
const admitted = new WeakMap<IncomingMessage, Admitted>();

export function rememberAdmission(request: IncomingMessage, admission: Admission, progress: Progress): void {
  admitted.set(request, { admission: Object.freeze(admission), progress });
}

export function newProgress(target: string, response: ServerResponse, respond: Respond): Progress {
  return {
    target,
    response,
    respond,
    closed: false,
    covered: nothing,
    exempt: false,
    outside: nothing,
    coarseMethod: undefined,
    allowed: false,
    wouldRefuse: false,
    refused: undefined,
    answered: false,
  };
}

/** What `admit` remembered; undefined if no guard admitted this request. */
export function admissionOf(request: IncomingMessage): Admission | undefined {
  return admitted.get(request)?.admission;
}

/** Undefined if no guard admitted this request. */
export function progressOf(request: IncomingMessage): Progress | undefined {
  return admitted.get(request)?.progress;
}

/** Answers a request as the host whose `agentAuth` saw it last; undefined if no guard admitted it. */
export function responderOf(request: IncomingMessage): Respond | undefined {
  return progressOf(request)?.respond;
}

/**
 * Answers a request through the response with which it was admitted: another application may have had it since, and handed
 * it back. Undefined if no guard admitted it.
 */
export function rawResponderOf(request: IncomingMessage): Respond | undefined {
  const response = progressOf(request)?.response;
  return response && ((refused) => sendRefusal(response, refused));
}

/**
 * The verified caller; undefined if no guard admitted this request, and for people in mixed traffic. Unlike a property of
 * the request, no other code can have set it.
 */
export function callerOf(request: IncomingMessage): Caller | undefined {
  return admissionOf(request)?.caller;
}

/**
 * The user on whose behalf the agent acts, once a `permit` of this very request has allowed it. Undefined before that and
 * after a refusal, for an agent that acts for itself, for people, and if only `permit(false)` or `everyRequest` admitted
 * the request: neither says that the agent may act as the user.
 *
 * @example
 * ```ts
 * app.get('/orders', permit('order.list', shop), (req, res) => {
 *   const userId = req.caller === undefined ? req.user?.id : actingUser(req)?.id;
 *   …
 * });
 * ```
 */
export function actingUserOf(request: IncomingMessage): Subject | undefined {
  const { allowed = false, wouldRefuse = false, refused } = progressOf(request) ?? {};
  if (!allowed || wouldRefuse || refused !== undefined) return undefined;
  const subject = callerOf(request)?.subject;
  return subject?.type === 'user' ? subject : undefined;
}

/** Sets a read-only `caller` on `holder`: no other middleware or handler can change whom the guard verified. */
export function exposeCaller(holder: object, request: IncomingMessage): void {
  Object.defineProperty(holder, 'caller', {
    value: callerOf(request),
    enumerable: true,
    writable: false,
    configurable: false,
  });
}

/** Runs the handlers of an admitted request, and notes if they throw. */
export async function runHandlers(request: IncomingMessage, run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    admissionOf(request)?.outcome?.threw(error);
    throw error;
  }
}
