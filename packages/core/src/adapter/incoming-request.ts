import type { IncomingMessage } from 'node:http';
import { holdIncoming } from '../stages/body/incoming-body.js';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import type { RequestBody } from '../model/request-body.js';
import type { HttpRequest } from '../model/request.js';

/**
 * Converts a node:http request for the guard, and starts to hold its body: call it before the first await. `target` is the
 * target of the request line; frameworks with mounted routers cut `request.url`, so the adapter passes the whole one
 * (`originalUrl`). HTTP/2 keeps it in `:path`.
 */
export function incomingRequest(
  request: IncomingMessage,
  target: string,
  body: RequestBody = holdIncoming(request),
): HttpRequest {
  const { method = '', rawHeaders, headers, socket } = request;
  const remoteAddress = socket.remoteAddress;
  return {
    method,
    target: http2Path(request) ?? target,
    rawHeaders,
    headers,
    remoteAddress,
    body,
    // node:http does not answer a client that has closed its side either (`httpAllowHalfOpen`).
    // The socket of an injected request has no `readable`.
    clientIsGone: () =>
      request.destroyed || socket.destroyed || (isHttp1(request) && 'readable' in socket && !socket.readable),
  };
}

function http2Path(request: IncomingMessage): string | undefined {
  if (isHttp1(request)) return undefined;
  const { rawHeaders } = request;
  const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text === ':path');
  return at === -1 ? undefined : rawHeaders[at + 1];
}

/** An HTTP/2 stream stops being readable once the request has been read, so `readable` says nothing there. */
function isHttp1(request: IncomingMessage): boolean {
  return http2StreamOf(request) === undefined;
}
