import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * One step of serving a request. Resolves to whether the request may go on; if not, it has been answered. `next` is
 * called only if it may, within the step, and never with an error: a bare handler would not look at it.
 */
export type Step<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next?: () => unknown,
) => Promise<boolean>;
