import type { ServerResponse } from 'node:http';
import type { Http2Session } from 'node:http2';
import { http2StreamOf } from '../body/http2-stream.js';

/** Who listens on a connection of HTTP/2: it has many streams, and one listener each would look like a leak. */
const listening = new WeakMap<Http2Session, Set<() => void>>();

/**
 * Calls back when the server gives up on a silent connection or stream. What it does about it stays as it is.
 *
 * @returns what ends it.
 */
export function onTimeout(response: ServerResponse, callback: () => void): () => void {
  const stream = http2StreamOf(response);
  const emitter = stream ?? response.socket;
  emitter?.once('timeout', callback);
  const callbacks = stream?.session === undefined ? undefined : callbacksOf(stream.session);
  callbacks?.add(callback);
  return () => {
    emitter?.off('timeout', callback);
    callbacks?.delete(callback);
  };
}

function callbacksOf(session: Http2Session): Set<() => void> {
  const known = listening.get(session);
  if (known !== undefined) return known;
  const callbacks = new Set<() => void>();
  listening.set(session, callbacks);
  session.on('timeout', () => {
    for (const callback of callbacks) callback();
  });
  return callbacks;
}
