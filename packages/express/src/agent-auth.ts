import { type Caller, type Guard, type Subject } from '@countersign/core';
import {
  actingUserOf,
  type AdmissionOptions,
  admissionOf,
  admit,
  checkAdmissionOptions,
  guardInTime,
  type HandlerMark,
  markHandler,
} from '@countersign/core/adapter';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExpressMiddleware, Next } from './request-types.js';
import { refuseWithin, watchRoutes } from './routes.js';

export type AgentAuthOptions = AdmissionOptions;

/**
 * Lets a request through only once it has verified whole: signature, body, freshness, token, chain.
 * Mount it before body parsers, so that no parser sees an unverified byte. An agent on a route that asks for no `permit`
 * is refused, unless `unmapped` says otherwise. A promise of a guard will do: requests wait for it.
 *
 * @throws ConfigError when the guard or an option is wrong.
 * @example
 * ```ts
 * app.use(agentAuth(guard));
 * app.use(express.json());
 * ```
 */
export function agentAuth(guard: Guard | Promise<Guard>, options: AgentAuthOptions = {}): ExpressMiddleware {
  checkAdmissionOptions(options);
  const guardOf = guardInTime(guard);
  const mark: HandlerMark = { role: 'agentAuth' };
  function agentAuth(...[req, res, next]: Parameters<ExpressMiddleware>): void {
    // originalUrl is the target of the request line; req.url is cut under a mounted router.
    admit(guardOf, { request: req, response: res, target: req.originalUrl }, options)
      .then(async (admitted) => {
        if (!admitted) return;
        exposeCaller(req);
        if (await refuseWithin(req, mark)) return;
        watchRoutes(req);
        next();
      })
      // Express 4 does not look at promises: said so, an error is never a request that hangs.
      .catch(next);
  }
  return markHandler(agentAuth, mark);
}

/** Who calls; undefined when no guard let this request in. Unlike `req.caller`, nothing else can have put it there. */
export function getCaller(req: IncomingMessage): Caller | undefined {
  return admissionOf(req)?.caller;
}

/**
 * The user on whose behalf the agent acts: only once a `permit` of this request has allowed it, and only where there is
 * one. Undefined for people, and for an agent that acts for itself.
 *
 * @example
 * ```ts
 * app.get('/orders', permit('order.list', shop), (req, res) => {
 *   const userId = actingUser(req)?.id ?? req.user?.id;
 *   …
 * });
 * ```
 */
export function actingUser(req: IncomingMessage): Subject | undefined {
  return actingUserOf(req);
}

/** An error handler of Express. */
export type ExpressErrorHandler = (error: unknown, req: IncomingMessage, res: ServerResponse, next: Next) => void;

/**
 * An error handler that notes that a handler threw, and passes the error on. Optional: mount it before your own error
 * handler, so that the audit log says `threw` where Express would only show the status.
 */
export function noteThrown(): ExpressErrorHandler {
  return function noteThrown(error, req, _res, next) {
    admissionOf(req)?.outcome?.threw(error);
    next(error);
  };
}

/** `req.caller` is for reading: neither an earlier middleware nor a handler can change whom the guard verified. */
function exposeCaller(req: IncomingMessage): void {
  Object.defineProperty(req, 'caller', {
    value: getCaller(req),
    enumerable: true,
    writable: false,
    configurable: false,
  });
}
