import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerHasBegun, ConfigError } from '@countersign/common';

const awaiting = new WeakSet<IncomingMessage>();

/**
 * Lets a client that sends `Expect: 100-continue` (RFC 9110 §10.1.1) wait until somebody reads its body: a guard does
 * so once the signature has verified, so that a refused request never sends its body. Without this, Node asks every
 * client for its body at once, which is safe as well, and costs the transfer.
 *
 * @param server a server of node:http, node:https or node:http2, before it listens
 * @throws ConfigError when something else answers `checkContinue` already.
 * @example
 * ```ts
 * const server = createServer(app);
 * continueAfterVerification(server);
 * ```
 */
export function continueAfterVerification(server: EventEmitter): void {
  if (server.listenerCount('checkContinue') > 0) {
    throw new ConfigError('continueAfterVerification: the server has a checkContinue listener already. Remove one.');
  }
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    continueWhenRead(request, response);
    server.emit('request', request, response);
  });
}

/** Whether the client still waits for our word before it sends its body. */
export function awaitsContinue(request: IncomingMessage): boolean {
  return awaiting.has(request);
}

function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  awaiting.add(request);
  // oxlint-disable-next-line typescript/unbound-method -- called with its request below
  const read = request._read;
  request._read = (size) => {
    // Node reads on after an answer, to find the next request: then there is nothing to continue.
    if (awaiting.delete(request) && !answerHasBegun(response)) response.writeContinue();
    read.call(request, size);
  };
}
