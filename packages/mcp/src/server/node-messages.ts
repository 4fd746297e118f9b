import { type ConnectionWatch, watchConnection } from '@countersign/core/adapter';
import type { IncomingMessage, ServerResponse } from 'node:http';

// By what they can do: those of HTTP/2 are of other classes, which the types of the SDKs do not know.

export function isNodeRequest(value: unknown): value is IncomingMessage {
  return typeof value === 'object' && value !== null && 'rawHeaders' in value && 'socket' in value;
}

export function isNodeResponse(value: unknown): value is ServerResponse {
  return typeof value === 'object' && value !== null && 'writeHead' in value && 'end' in value;
}

type AnyResponse = ServerResponse & { readonly stream?: { readonly destroyed: boolean } };

/**
 * Calls back once, when a response has ended, also if it has already. Of pipelined responses only the one whose turn it is
 * ever closes, so the connection is watched, too.
 */
export function whenClosed(response: AnyResponse, ended: () => void): void {
  if (isGone(response)) return ended();
  const watcher = { timedOut: () => {}, closed: end };
  const connection: ConnectionWatch = watchConnection(response.req, watcher);
  let isOver = false;
  response.once('close', end);
  function end(): void {
    if (isOver) return;
    isOver = true;
    connection.delete(watcher);
    ended();
  }
}

/** HTTP/2 responses of Node do not say that they are destroyed, but their streams do. */
function isGone({ destroyed, stream, req }: AnyResponse): boolean {
  return destroyed || (stream?.destroyed ?? req.socket.destroyed);
}

/** Ends a response at once, also one that has begun. */
export function cutOff(response: ServerResponse): void {
  const stream: unknown = 'stream' in response ? response.stream : undefined;
  const isHttp2 = typeof stream === 'object' && stream !== null && 'close' in stream;
  if (isHttp2 && typeof stream.close === 'function') stream.close();
  else response.destroy();
}
