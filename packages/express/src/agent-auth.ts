import type { Guard } from '@countersign/core';
import { type AdmissionOptions, admissionOf, admitter, exposeCaller } from '@countersign/core/adapter';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExpressMiddleware, middleware, type Next } from './middleware.js';
import { watchRoutes } from './routes.js';

/**
 * Admits a request only after it has verified completely: signature, body, freshness, token, chain. Mount it before body
 * parsers, so that no parser reads an unverified byte. An agent on a route without a `permit` is refused, unless
 * `unmapped` says otherwise. `guard` may be a promise: requests wait for it.
 *
 * @throws ConfigError when the guard or an option is wrong.
 * @example
 * ```ts
 * app.use(agentAuth(guard));
 * app.use(express.json());
 * ```
 */
export function agentAuth(guard: Guard | Promise<Guard>, options: AdmissionOptions = {}): ExpressMiddleware {
  const admit = admitter(guard, options);
  return middleware({ role: 'agentAuth' }, async (request, response, next) => {
    // originalUrl is the target of the request line; req.url is cut under a mounted router.
    if (!(await admit({ request, response, target: request.originalUrl }))) return false;
    exposeCaller(request, request);
    return await watchRoutes(request, next);
  });
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
