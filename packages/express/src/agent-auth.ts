import {
  admissionOf,
  admit,
  type Caller,
  checkOptionNames,
  ConfigError,
  type Guard,
  type Refusal,
  RefusalError,
  sendRefusal,
} from '@countersign/core';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';

export interface AgentAuthOptions {
  /** `respond` (default): the refusal is the answer. `throw`: it goes to your error handler as a `RefusalError`. */
  readonly onRefusal?: 'respond' | 'throw';
}

const optionNames = ['onRefusal'] as const satisfies readonly (keyof AgentAuthOptions)[];
const refusalModes = ['respond', 'throw'];

/** Who wants refusals thrown; remembered for `permit`, which runs later on the same request. */
const throwing = new WeakSet<Request>();

/**
 * Lets a request through only once it has verified whole: signature, body, freshness, token, chain.
 * Mount it before body parsers, so that no parser sees an unverified byte.
 *
 * @throws ConfigError when the guard or an option is wrong.
 * @example
 * ```ts
 * app.use(agentAuth(guard));
 * app.use(express.json());
 * ```
 */
export function agentAuth(guard: Guard, options: AgentAuthOptions = {}): RequestHandler {
  if (typeof guard?.authenticate !== 'function') {
    throw new ConfigError('agentAuth: the first argument must be a guard. Write agentAuth(await createGuard({ … })).');
  }
  checkOptionNames('agentAuth', options, optionNames);
  const { onRefusal = 'respond' } = options;
  if (!refusalModes.includes(onRefusal)) throw new ConfigError(`agentAuth: 'onRefusal' must be 'respond' or 'throw'.`);

  return function agentAuth(req, res, next) {
    if (onRefusal === 'throw') throwing.add(req);
    // originalUrl is the target of the request line; req.url is cut under a mounted router.
    admit(guard, { request: req, response: res, target: req.originalUrl })
      .then((refused) => {
        if (refused !== undefined) return refuse(guard, refused, req, res, next);
        exposeCaller(req);
        next();
      })
      .catch(next);
  };
}

/** Answers with the refusal, or hands it to the application's error handler. */
export function refuse(
  guard: Guard,
  refused: Refusal,
  req: Request,
  res: Response,
  next: (error: unknown) => void,
): void {
  const response = guard.respond(refused);
  if (throwing.has(req)) next(new RefusalError(refused, response));
  else sendRefusal(res, response);
}

/** Who calls; undefined when no guard let this request in. Unlike `req.caller`, nothing else can have put it there. */
export function getCaller(req: Request): Caller | undefined {
  return admissionOf(req)?.caller;
}

/**
 * An error handler that notes that a handler threw, and passes the error on. Optional: mount it before your own error
 * handler, so that the audit log says `threw` where Express would only show the status.
 */
export function noteThrown(): ErrorRequestHandler {
  return function noteThrown(error, req, _res, next) {
    admissionOf(req)?.outcome.threw();
    next(error);
  };
}

/** `req.caller` is for reading: neither an earlier middleware nor a handler can change whom the guard verified. */
function exposeCaller(req: Request): void {
  Object.defineProperty(req, 'caller', {
    value: getCaller(req),
    enumerable: true,
    writable: false,
    configurable: false,
  });
}
