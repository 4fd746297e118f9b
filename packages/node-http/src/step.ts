import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * One step of serving a request. Resolves to whether the request may go on; if not, it has been answered. The step calls
 * `next` and waits for it if the request may go on; never with an error, which a bare handler would ignore.
 */
export type Step<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next?: () => unknown,
) => Promise<boolean>;
