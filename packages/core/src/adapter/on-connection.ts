import type { EventEmitter } from 'node:events';

/** What happens to a connection as a whole. */
export type ConnectionEvent = 'timeout' | 'close';

const waiting = {
  timeout: new WeakMap<EventEmitter, Set<() => void>>(),
  close: new WeakMap<EventEmitter, Set<() => void>>(),
} satisfies Record<ConnectionEvent, unknown>;

/**
 * Calls back each time something happens to a connection. A connection serves many answers, one after the other or
 * beside each other, and one listener for each of them would look like a leak: it gets one, for all who wait.
 *
 * @returns what ends it.
 */
export function onConnection(connection: EventEmitter, event: ConnectionEvent, callback: () => void): () => void {
  const callbacks = waitingFor(connection, event);
  callbacks.add(callback);
  return () => void callbacks.delete(callback);
}

function waitingFor(connection: EventEmitter, event: ConnectionEvent): Set<() => void> {
  const known = waiting[event].get(connection);
  if (known !== undefined) return known;
  const callbacks = new Set<() => void>();
  waiting[event].set(connection, callbacks);
  connection.on(event, () => {
    for (const callback of callbacks) callback();
  });
  return callbacks;
}
