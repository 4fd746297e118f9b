import { ConfigError } from '@countersign/core';
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

/** What allows the answers that are held, by response. */
const held = new WeakMap<ServerResponse, () => void>();
const answering = ['writeHead', 'write', 'end', 'flushHeaders'] as const;

/**
 * A promise counts as true: without its `await`, a handler would answer whatever the step comes to. Until the end of the
 * handler's turn, answering throws. Returns what allows it at once, for the step itself.
 */
export function answersLater(response: ServerResponse, step: string): () => void {
  const before = held.get(response);
  if (before !== undefined) return before;
  const own = answering.map((name) => response[name]);
  function tooEarly(): never {
    throw new ConfigError(`${step} is asynchronous: write if (!(await ${step}(request, response))) return;`);
  }
  function release(): void {
    if (!held.delete(response)) return;
    for (const [index, name] of answering.entries()) Object.assign(response, { [name]: own[index] });
  }
  held.set(response, release);
  for (const name of answering) Object.assign(response, { [name]: tooEarly });
  queueMicrotask(release);
  return release;
}
