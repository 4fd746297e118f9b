import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { holdIncoming } from '../stages/body/incoming-body.js';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import { wasEmptied } from '../stages/body/tap.js';
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
  const stream = http2StreamOf(request);
  const isHttp1 = stream === undefined;
  const emptied = wasEmptied(request);
  return {
    method,
    target: (isHttp1 ? undefined : http2Path(rawHeaders)) ?? target,
    rawHeaders,
    headers,
    remoteAddress,
    body,
    // The socket of an HTTP/2 request is a proxy of its stream, and that of the session is the same for all requests.
    connection: stream?.session?.socket ?? socket,
    // node:http does not answer a client that has closed its side either (`httpAllowHalfOpen`).
    // The socket of an injected request has no `readable` and no `destroy`, and that of HTTP/2 says nothing of the one request.
    clientIsGone: () =>
      (request.destroyed && !emptied) || socket.destroyed || (isHttp1 && 'readable' in socket && !socket.readable),
    cut: () => void (stream ?? (socket as Partial<Socket>)).destroy?.(),
  };
}

function http2Path(rawHeaders: readonly string[]): string | undefined {
  const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text === ':path');
  return at === -1 ? undefined : rawHeaders[at + 1];
}
