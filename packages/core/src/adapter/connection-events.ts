import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { http2StreamOf } from '../stages/body/http2-stream.js';

type ConnectionEvent = 'timeout' | 'close';

const waiting = {
  timeout: new WeakMap<EventEmitter, Set<() => void>>(),
  close: new WeakMap<EventEmitter, Set<() => void>>(),
} satisfies Record<ConnectionEvent, unknown>;

/**
 * Calls back at each event of a connection. A connection carries many responses, and one listener for each of them would
 * look like a leak, so all callbacks share one listener.
 *
 * @returns a function that stops it.
 */
export function onConnection(connection: EventEmitter, event: ConnectionEvent, callback: () => void): () => void {
  const callbacks = callbacksOf(connection, event);
  callbacks.add(callback);
  return () => void callbacks.delete(callback);
}

function callbacksOf(connection: EventEmitter, event: ConnectionEvent): Set<() => void> {
  const known = waiting[event].get(connection);
  if (known !== undefined) return known;
  const callbacks = new Set<() => void>();
  waiting[event].set(connection, callbacks);
  connection.on(event, () => {
    for (const callback of callbacks) callback();
  });
  return callbacks;
}

/**
 * Calls back when the server times out a silent connection or stream, without changing what the server does then.
 *
 * @returns a function that stops it.
 */
export function onTimeout(request: IncomingMessage, callback: () => void): () => void {
  const stream = http2StreamOf(request);
  if (stream === undefined) return onConnection(request.socket, 'timeout', callback);
  stream.once('timeout', callback);
  const stopSession = stream.session && onConnection(stream.session, 'timeout', callback);
  return () => {
    stream.off('timeout', callback);
    stopSession?.();
  };
}
