import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { http2StreamOf, restoreSocket } from '../stages/body/http2-stream.js';

/** Is told what happens to a connection. */
export interface ConnectionWatcher {
  /** The server timed out a silent connection or stream. */
  timedOut(): void;
  /** The connection of an HTTP/1 request has closed. */
  closed(): void;
}

/** Ends a watch. */
export interface ConnectionWatch {
  delete(watcher: ConnectionWatcher): unknown;
}

type Watchers = Set<ConnectionWatcher>;

const watchersOf = new WeakMap<EventEmitter, Watchers>();

/**
 * Watches the connection of a request without changing what the server does. A connection carries many responses, and one
 * listener for each of them would look like a leak, so all watchers of a connection share one.
 */
export function watchConnection(request: IncomingMessage, watcher: ConnectionWatcher): ConnectionWatch {
  const stream = http2StreamOf(request);
  const connection = stream === undefined ? request.socket : stream.session;
  stream?.once('timeout', () => watcher.timedOut());
  const watchers = watchersOn(connection, stream === undefined);
  watchers.add(watcher);
  return watchers;
}

function watchersOn(connection: EventEmitter | undefined, isOfOneRequest: boolean): Watchers {
  const known = connection && watchersOf.get(connection);
  if (known !== undefined) return known;
  const watchers: Watchers = new Set();
  if (connection === undefined) return watchers;
  watchersOf.set(connection, watchers);
  connection.on('timeout', () => {
    for (const watcher of watchers) watcher.timedOut();
  });
  // A stream of HTTP/2 has an end of its own.
  if (isOfOneRequest) {
    connection.on('close', () => {
      for (const watcher of watchers) watcher.closed();
    });
  }
  return watchers;
}

/** The pipelined responses of a connection that wait for their turn. */
const waitingOn = new WeakMap<Socket, Set<ServerResponse>>();

const mostWaiting = 100;

export const tooManyWaited: string = `a connection was closed, because more than ${mostWaiting} pipelined requests waited on it`;

/**
 * Whether a pipelined request comes while as many others of its connection wait as may for their turn. Node dispatches every request
 * that it has read, so that nothing else bounds how many of them are verified or refused at the same time.
 */
export function tooManyWait(request: IncomingMessage, response: ServerResponse): boolean {
  // Node gives the connection to the response whose turn it is, and takes it back once that is sent.
  const waits = http2StreamOf(request) === undefined && response.socket === null && !response.writableFinished;
  if (!waits) return false;
  restoreSocket(request);
  const waiting = waitingOn.get(request.socket) ?? new Set();
  if (waiting.has(response)) return false;
  if (waiting.size >= mostWaiting) return true;
  waitingOn.set(request.socket, waiting.add(response));
  response.once('socket', () => waiting.delete(response));
  return false;
}
