import { ConfigError } from '@countersign/core';
import { type Respond, sendRefusal } from '@countersign/core/adapter';
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

/** What lets a response be answered again, while that is held. */
const held = new WeakMap<ServerResponse, () => void>();
const answering = ['writeHead', 'write', 'end', 'flushHeaders'] as const;

/**
 * Returns how the step refuses. Until the end of the handler's turn, any other answer throws: a promise counts as true, so
 * that without its `await` a handler would answer whatever the step comes to.
 */
export function refuseAlone(response: ServerResponse, step: string): Respond {
  const release = held.get(response) ?? hold(response, step);
  return (refused) => {
    release();
    sendRefusal(response, refused);
  };
}

function hold(response: ServerResponse, step: string): () => void {
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
