import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';

const requests = new AsyncLocalStorage<IncomingMessage>();

/** Runs everything that serves a request so that `currentRequest` finds it, whatever arguments a handler gets. */
export function withRequest<T>(request: IncomingMessage, run: () => T): T {
  return requests.run(request, run);
}

/** The request that is being served here; undefined outside of `withRequest`. */
export function currentRequest(): IncomingMessage | undefined {
  return requests.getStore();
}
