import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { holdIncoming } from '../stages/body/incoming-body.js';
import { http2StreamOf, restoreSocket } from '../stages/body/http2-stream.js';
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
  restoreSocket(request);
  const { method = '', rawHeaders, headers, httpVersion, socket } = request;
  // HTTP/1.0 has requests without any field, such as health checks. Whatever they show was added by the application.
  const isBare = rawHeaders.length === 0 && httpVersion === '1.0';
  const remoteAddress = socket.remoteAddress;
  const stream = http2StreamOf(request);
  const isHttp1 = stream === undefined;
  return {
    method,
    target: (isHttp1 ? undefined : http2Path(rawHeaders)) ?? target,
    rawHeaders,
    headers: isBare ? {} : headers,
    remoteAddress,
    body,
    // The socket of an HTTP/2 request is a proxy of its stream, and that of the session is the same for all requests.
    connection: stream?.session?.socket ?? socket,
    clientIsGone: () => clientIsGone(request),
    // The socket of an injected request has no `destroy`.
    cut: () => void (stream ?? (socket as Partial<Socket>)).destroy?.(),
  };
}

/** Whether nobody waits for the answer: body parsers may skip the body of such a request, and its handler runs without it. */
export function clientIsGone(request: IncomingMessage): boolean {
  restoreSocket(request);
  const { socket } = request;
  const isHttp1 = http2StreamOf(request) === undefined;
  // Node destroys a request of HTTP/1 once it has been read, or has no body, while its connection is open.
  if (request.destroyed && !(isHttp1 && request.readableEnded)) return true;
  // node:http does not answer a client that has closed its side either (`httpAllowHalfOpen`).
  // The socket of an injected request has no `readable`, and that of HTTP/2 says nothing of the one request.
  if (socket.destroyed || (isHttp1 && 'readable' in socket && !socket.readable)) return true;
  return hasLostItsPeer(socket);
}

/**
 * Whether the connection was reset before its address was read: the kernel forgets the peer at once, and Node reports the
 * reset a turn later. A Unix domain socket has neither address, and an injected request may have no `localAddress`.
 */
function hasLostItsPeer(socket: Partial<Socket>): boolean {
  return socket.remoteAddress === undefined && socket.localAddress !== undefined;
}

function http2Path(rawHeaders: readonly string[]): string | undefined {
  const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text === ':path');
  return at === -1 ? undefined : rawHeaders[at + 1];
}
