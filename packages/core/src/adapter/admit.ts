import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Guard } from '../guard.js';
import type { HttpRequest } from '../model/request.js';
import { pathOf } from '../stages/address/target.js';
import { refusal } from '../model/refusal.js';
import { RefusalError } from '../model/refusal-error.js';
import { type Admission, admissionOf, rememberAdmission } from './admission.js';
import { everyRequestPermission } from './every-request.js';
import type { GuardInTime } from './guard-in-time.js';
import { incomingRequest } from './incoming-request.js';
import { askPermission } from './permitted.js';
import { beginProgress, type Progress, progressOf } from './progress.js';
import type { Respond } from './respond.js';
import { sendRefusal } from './send-refusal.js';
import { warnUndecided } from './warn-undecided.js';
import { type Ending, watchOutcome } from './watch-outcome.js';

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
   * that cannot know their routes. No route is unmapped then. Default false.
   */
  readonly everyRequest?: boolean;
  /**
   * What becomes of an agent on a route that asks for no permission. `refuse` (default): 403 `route_unmapped`, before any
   * of its handlers runs. `authenticated`: it is let in, and the outcome is recorded as `undecided`.
   */
  readonly unmapped?: 'refuse' | 'authenticated';
  /**
   * Chooses the requests whose body is streamed: it flows to the handler while it is digested, and only its end waits
   * for the digest. Such a handler must do nothing final before the end. Default: none, every body is held until it
   * has verified.
   */
  readonly streamBody?: (request: IncomingMessage) => boolean;
}

/**
 * Verifies a request, remembers its caller, and sees to it that its outcome is recorded. Call it before anything
 * awaits: from then on no byte of the body reaches another reader unverified, also while the guard is in the making.
 * Resolves to whether the request may go on; if not it has been answered. What an agent gets is not for shared caches
 * (`Cache-Control: private`), unless the application says otherwise.
 *
 * @throws RefusalError where the application wants refusals thrown.
 */
export async function admit(
  guardInTime: GuardInTime,
  exchange: HostExchange,
  options: AdmissionOptions = {},
  respond: Respond = (rendered) => sendRefusal(exchange.response, rendered),
): Promise<boolean> {
  const { request } = exchange;
  const { onRefusal = 'respond', everyRequest = false, streamBody, unmapped = 'refuse' } = options;
  const earlier = admissionOf(request);
  if (earlier !== undefined) {
    const guard = await guardInTime();
    const refuse = refuser(guard, request, onRefusal, respond);
    if (!isSame(earlier.guard, guard, respond)) return false;
    return await admitBelow(earlier, request, { everyRequest, unmapped }, refuse);
  }
  // The body is held from here on, so that nobody reads it while the guard is waited for.
  const incoming = incomingRequest(request, exchange.target, streamBody?.(request) === true ? 'stream' : 'hold');
  const guard = await guardInTime();
  const refuse = refuser(guard, request, onRefusal, respond);
  const admission = await admitFirst(guard, incoming, exchange, refuse);
  return admission !== undefined && (await admitBelow(admission, request, { everyRequest, unmapped }, refuse));
}

type Refuse = Admission['refuse'];

function refuser(guard: Guard, request: IncomingMessage, onRefusal: 'respond' | 'throw', respond: Respond): Refuse {
  return (refused) => {
    const rendered = guard.respond(refused);
    const outcome = admissionOf(request)?.outcome;
    const progress = progressOf(request);
    if (progress !== undefined) progress.permits = 'refused';
    if (onRefusal === 'throw') {
      const error = new RefusalError(refused, rendered);
      outcome?.refused(error);
      throw error;
    }
    outcome?.refused(rendered.status);
    respond(rendered);
  };
}

/** Two guards cannot both answer for one request. */
function isSame(earlier: Guard, guard: Guard, respond: Respond): boolean {
  if (earlier === guard) return true;
  respond(guard.respond(refusal('internal_error', 'the request was let in by another guard before')));
  return false;
}

/** Resolves to undefined when the request was refused. */
async function admitFirst(
  guard: Guard,
  incoming: HttpRequest,
  { request, response }: HostExchange,
  refuse: Refuse,
): Promise<Admission | undefined> {
  const authentication = await guard.authenticate(incoming);
  if (!authentication.ok) {
    refuse(authentication.refusal);
    return undefined;
  }
  const { caller, refuseStranger, bodyVerdict } = authentication;
  void bodyVerdict?.then((wrong) => {
    // A handler that does not listen for errors of the request would never answer, nor any framework for it.
    if (wrong?.unheard) sendRefusal(response, guard.respond(refusal(wrong.code, wrong.detail)));
  });
  if (caller !== undefined) keepFromSharedCaches(response);
  const progress = beginProgress(request, incoming.target);
  async function complete({ outcome, refused }: Ending): Promise<void> {
    if (caller === undefined) return;
    const ended = await guard.complete(caller, outcome, { refused, exempt: progress.exempt });
    const route = `${request.method} ${pathOf(incoming.target)}`;
    if (ended?.undecided === true && progress.closed) warnUndecided(guard, route, ended);
  }
  const outcome = caller && watchOutcome(request, response, (ending) => void complete(ending));
  const admission = { guard, caller, outcome, refuse, refuseStranger };
  rememberAdmission(request, admission);
  return admission;
}

/** What each `agentAuth` of a request says of the routes below it. It only ever closes more. */
async function admitBelow(
  admission: Admission,
  request: IncomingMessage,
  { everyRequest, unmapped }: Required<Pick<AdmissionOptions, 'everyRequest' | 'unmapped'>>,
  refuse: Refuse,
): Promise<boolean> {
  const progress = progressOf(request) as Progress;
  progress.closed ||= unmapped === 'refuse';
  if (!everyRequest || progress.coarselyDecided) return true;
  const refused = await askPermission(admission, everyRequestPermission(request, progress.target));
  progress.coarselyDecided = true;
  if (refused !== undefined) refuse(refused);
  else progress.covered = true;
  return refused === undefined;
}

/**
 * Shared caches leave alone what came with Authorization (RFC 9111 §3.5), and know nothing of signatures: one in front of
 * the API could hand an agent's answer to a stranger. What the application says itself takes the place of this.
 */
function keepFromSharedCaches(response: ServerResponse): void {
  if (!response.headersSent && !response.hasHeader('cache-control')) response.setHeader('cache-control', 'private');
}
