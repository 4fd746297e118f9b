import type { IncomingMessage } from 'node:http';
import { holdIncoming } from '../stages/body/held-incoming.js';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import { fieldValues } from '../stages/address/fields.js';
import type { HttpRequest } from '../model/request.js';

/**
 * Sees a node:http request as the guard does, and begins to hold its body back: call it at once, before anything is
 * awaited. `target` is the request target of the request line; frameworks with mounted routers cut `request.url`, so
 * the adapter says where the whole one is (`originalUrl`). HTTP/2 keeps it by itself.
 */
export function incomingRequest(
  request: IncomingMessage,
  target: string,
  bodyMode: HttpRequest['bodyMode'] = 'hold',
): HttpRequest {
  const { method = '', rawHeaders, headers, socket } = request;
  const remoteAddress = socket.remoteAddress;
  return {
    method,
    target: fieldValues(rawHeaders, ':path')[0] ?? target,
    rawHeaders,
    headers,
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    body: holdIncoming(request),
    // A client that has ended its side gets no answer from node:http either (`httpAllowHalfOpen`).
    // Injected requests have a socket that says nothing of it.
    clientIsGone: () =>
      request.destroyed || socket.destroyed || (isHttp1(request) && 'readable' in socket && !socket.readable),
    bodyMode,
  };
}

/** A stream of HTTP/2 is no longer readable once the request has been read. */
function isHttp1(request: IncomingMessage): boolean {
  return http2StreamOf(request) === undefined;
}
