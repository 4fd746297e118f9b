import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authentication } from '../guard/authentication.js';
import type { Guard } from '../guard.js';
import { answerHasBegun, type Awaitable, errorMessage, isPromise } from '@countersign/common';
import type { Caller } from '../model/caller.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { RefusalError, type RefusalResponse } from '../model/refusal-response.js';
import type { RequestBody } from '../model/request-body.js';
import { type HttpRequest, pathOf } from '../model/request.js';
import { holdIncoming, streamIncoming } from '../stages/body/incoming-body.js';
import { type Admission, admissionOf, newProgress, type Progress, progressOf, rememberAdmission } from './admission.js';
import { tooManyWait, tooManyWaited } from './connection-events.js';
import { type GuardProvider, guardProvider } from './guard-provider.js';
import { incomingRequest } from './incoming-request.js';
import { logRefusal, type RefusalLogger } from './log-refusal.js';
import { type AdmissionOptions, checkAdmissionOptions } from './options.js';
import { askPermission, coarsePermission } from './permission.js';
import { type AnswerFields, clearFields, closeUnread, closeUpgrade, dropBytesOfHead } from './send-refusal.js';
import { keepFromSharedCaches, type Respond, sendRefusal } from './send-refusal.js';
import { reportUndecided } from './unmapped.js';
import { type Ending, watchOutcome } from './watch-outcome.js';

/** One request of a host that is built on `node:http`. */
export interface HostExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The request target as on the request line, also under a mounted router. */
  readonly target: string;
  /** Where the framework keeps the fields of its answer. Default: `response`. */
  readonly fields?: AnswerFields;
  /** The logger of the request, where the framework has one. The option `logger` replaces it. */
  readonly logger?: RefusalLogger;
}

/** Admits one request, see `admit`. `respond` answers in place of Node's response. */
export type Admit = (exchange: HostExchange, respond?: Respond) => Promise<boolean>;

/**
 * Reads the arguments of a host's `agentAuth`.
 *
 * @throws ConfigError when the guard or an option is wrong.
 */
export function admitter(
  guard: Guard | Promise<Guard>,
  options: AdmissionOptions = {},
  optionNames?: readonly string[],
): Admit {
  checkAdmissionOptions(options, optionNames);
  const provideGuard = guardProvider(guard);
  const { logger } = options;
  return (exchange, respond) =>
    admit(provideGuard, logger === undefined ? exchange : { ...exchange, logger }, options, respond);
}

/**
 * Verifies a request, remembers its caller, and records its outcome. Call it before the first await: from then on no
 * unverified byte of the body reaches another reader, even while the guard is still being created. Resolves to whether
 * the request may go on; if not, it has been answered, or its connection closed because too many pipelined requests wait.
 * Answers to agents are marked `Cache-Control: private`, unless their handler sets the field itself.
 *
 * @throws RefusalError if the application wants refusals thrown.
 */
export async function admit(
  provideGuard: GuardProvider,
  exchange: HostExchange,
  options: AdmissionOptions = {},
  respond: Respond = (rendered) => sendRefusal(exchange.response, rendered),
): Promise<boolean> {
  const { request } = exchange;
  const { onRefusal = 'respond', everyRequest = false, streamBody, unmapped = 'refuse' } = options;
  const earlier = admissionOf(request);
  if (earlier !== undefined) {
    const guard = await provideGuard();
    if (!isSame(earlier.guard, guard, respond)) return false;
    Object.assign(progressOf(request) as Progress, { respond });
    return await admitBelow(earlier, request, { everyRequest, unmapped }, refuser(guard, exchange, onRefusal, respond));
  }
  // Before anything is made for it, because thousands of such requests come in one chunk.
  if (tooManyWait(request, exchange.response)) {
    request.socket.destroy();
    (await provideGuard()).report(tooManyWaited, request.socket.remoteAddress ?? '');
    return false;
  }
  closeUpgrade(exchange);
  // Holds the body from here on, so that nothing reads it while we wait for the guard.
  const incoming = incomingRequest(request, exchange.target, takeBody(provideGuard, exchange, streamBody));
  let guard = provideGuard();
  if (isPromise(guard)) guard = await guard;
  if (asksForDiscovery(guard, exchange)) {
    void incoming.body.discard();
    // In this very turn no request is complete, and its answer would close the connection.
    await Promise.resolve();
    closeUnread(exchange.response);
    respond(discoveryAnswer(guard));
    return false;
  }
  const refuse = refuser(guard, exchange, onRefusal, respond);
  const authentication = await guard.authenticate(incoming);
  if (!authentication.ok) return refuse(authentication.refusal, respond, authentication);
  const admission = admitFirst(guard, authentication, incoming, exchange, { refuse, respond });
  return admitBelow(admission, request, { everyRequest, unmapped }, refuse);
}

/** A client asks before it signs, so this one target needs no signature. */
function asksForDiscovery({ discovery }: Guard, { request: { method }, target }: HostExchange): boolean {
  return target === discovery.path && (method === 'GET' || method === 'HEAD');
}

/** The same for everybody, also for clients in browsers. */
function discoveryAnswer({ discovery }: Guard): RefusalResponse {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'public, max-age=300',
    'access-control-allow-origin': '*',
  };
  return { status: 200, headers, body: JSON.stringify(discovery.document) };
}

/** Holds the body, or streams it if the application says so. If its function fails, the body is held. */
function takeBody(
  provideGuard: GuardProvider,
  exchange: HostExchange,
  streamBody: AdmissionOptions['streamBody'],
): RequestBody {
  const { request, response } = exchange;
  // A guard that cannot be created ends the process by itself, and what fails here has nobody to tell.
  const withGuard = (use: (guard: Guard) => void) =>
    void Promise.resolve(provideGuard())
      .then(use)
      .catch(() => {});
  const report = (error: unknown) =>
    withGuard((guard) => guard.report('streamBody failed, and the body is held', errorMessage(error)));
  try {
    const answer: unknown = streamBody?.(request);
    if (isPromise(answer)) answer.then(undefined, report);
    if (answer !== true) return holdIncoming(request);
  } catch (error) {
    report(error);
    return holdIncoming(request);
  }
  return streamIncoming(request, (failure, heard) => {
    // The rest is read for a while only, and a proxy would send the next request of somebody else after it.
    if (!request.complete) response.shouldKeepAlive = false;
    // Neither the handler nor its framework would ever answer.
    if (!heard) withGuard((guard) => refuseUnheard(guard, exchange, refusal(failure.code, failure.detail)));
  });
}

function refuseUnheard(guard: Guard, { request, response, logger }: HostExchange, refused: Refusal): void {
  logRefusal(logger, request, refused);
  sendRefusal(response, guard.respond(refused));
}

/** Answers by `respond`, default that of the last `agentAuth`. `rejected`: why its caller was not verified. */
type Refuse = (refused: Refusal, respond?: Respond, rejected?: Extract<Authentication, { ok: false }>) => false;

const answeredBefore =
  'a request was refused that the application had answered before: something answers earlier, or an await of agentAuth or permit is missing';

function refuser(guard: Guard, exchange: HostExchange, onRefusal: 'respond' | 'throw', respond: Respond): Refuse {
  const { request, response } = exchange;
  return (refused, by = progressOf(request)?.respond ?? respond, rejected) => {
    closeUnread(response);
    // Of HTTP/1: a client that keeps its connection would not come to the next process.
    if (refused.code === 'shutting_down') response.shouldKeepAlive = false;
    const rendered = guard.respond(refused);
    const outcome = admissionOf(request)?.outcome;
    const progress = progressOf(request);
    if (answerHasBegun(response) && progress?.answered !== true) guard.report(answeredBefore, refused.code);
    // A refusal that is repeated, because the application caught it, has its line.
    if (progress?.refused === undefined) logRefusal(exchange.logger, request, refused, rejected);
    if (progress !== undefined) progress.refused = refused;
    if (onRefusal === 'throw') {
      clearFields(response, exchange.fields);
      // Koa answers an error with bytes.
      dropBytesOfHead(response);
      const error = new RefusalError(refused, rendered);
      outcome?.refused(error);
      throw error;
    }
    outcome?.refused(rendered.status);
    if (progress?.answered === true) return false;
    if (progress !== undefined) progress.answered = true;
    by(rendered);
    return false;
  };
}

/** Two guards cannot both be responsible for one request. */
function isSame(earlier: Guard, guard: Guard, respond: Respond): boolean {
  if (earlier === guard) return true;
  respond(guard.respond(refusal('internal_error', 'the request was let in by another guard before')));
  return false;
}

/** Remembers the caller of a request, and records its outcome. */
function admitFirst(
  guard: Guard,
  { caller, requestId, refuseUnmarked }: Extract<Authentication, { ok: true }>,
  incoming: HttpRequest,
  exchange: HostExchange,
  { refuse, respond }: { readonly refuse: Refuse; readonly respond: Respond },
): Admission {
  const { request, response } = exchange;
  if (caller !== undefined) keepFromSharedCaches(response, exchange.fields ?? response);
  const progress = newProgress(incoming.target, response, respond);
  async function complete(by: Caller, { outcome, refused }: Ending): Promise<void> {
    const ended = await guard.complete(by, outcome, { refused, exempt: progress.exempt });
    if (ended?.undecided !== true || !progress.closed) return;
    reportUndecided(guard, `${request.method} ${pathOf(incoming.target)}`, ended);
  }
  const outcome = caller && watchOutcome(request, response, (ending) => void complete(caller, ending));
  // No outcome ends it: of a request that would have been refused, the guard may still hold the body.
  if (caller === undefined) response.once('close', () => void incoming.body.discard());
  const admission = { guard, caller, requestId, outcome, refuse, refuseUnmarked };
  rememberAdmission(request, admission, progress);
  return admission;
}

/** Applies the options of one `agentAuth` to the routes below it. An inner one can only close more. */
function admitBelow(
  admission: Admission,
  request: IncomingMessage,
  { everyRequest, unmapped }: Required<Pick<AdmissionOptions, 'everyRequest' | 'unmapped'>>,
  refuse: Refuse,
): Awaitable<boolean> {
  const progress = progressOf(request) as Progress;
  progress.closed ||= unmapped === 'refuse';
  // A refusal is final, even if the application caught it and goes on.
  if (progress.refused !== undefined) return refuse(progress.refused);
  if (!everyRequest || progress.coarseMethod === request.method) return true;
  return decideCoarsely(admission, request, progress, refuse);
}

async function decideCoarsely(
  admission: Admission,
  request: IncomingMessage,
  progress: Progress,
  refuse: Refuse,
): Promise<boolean> {
  const { method } = request;
  const denied = await askPermission(admission, progress, coarsePermission(request, progress.target));
  const refused = progress.refused ?? denied;
  if (refused !== undefined) return refuse(refused);
  progress.coarseMethod = method;
  return true;
}
