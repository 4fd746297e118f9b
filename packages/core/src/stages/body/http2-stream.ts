import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/**
 * The stream below a request or response of http2's compatibility API; undefined for HTTP/1. Frameworks hand both over
 * under the types of node:http.
 */
export function http2StreamOf(message: object): ServerHttp2Stream | undefined {
  const { stream } = message as { readonly stream?: ServerHttp2Stream };
  return typeof stream?.respond === 'function' ? stream : undefined;
}

/** Whether an HTTP/2 stream has closed. Node closes it at once, and tells its request of it later. */
export function isClosedStream(stream: ServerHttp2Stream | undefined): boolean {
  return stream?.closed === true;
}

/**
 * Destroys a stream that has closed, once it has ended. If its client reset it with NO_ERROR, Node waits for the answer to
 * be written, which never happens, and the session and its connection stay open for ever.
 */
export function destroyOnceClosed(stream: ServerHttp2Stream): void {
  stream.on('end', () => setImmediate(() => isClosedStream(stream) && stream.destroy()));
}

/**
 * Gives an HTTP/1 request its connection back. Node takes it from a request whose reader leaves `for await` or a `pipeline`
 * before the end, keeps the connection open, and then fails to read on.
 */
export function restoreSocket(request: IncomingMessage): void {
  const taken = request as unknown as { socket: Socket | null; readonly client?: Socket };
  if (taken.socket === null && taken.client !== undefined) taken.socket = taken.client;
}

/** Calls back when a request closes: at once, if it has closed already. */
export function whenClosed({ request, stream }: HeldRequest, then: () => void): void {
  if (request.destroyed || isClosedStream(stream)) then();
  else request.once('close', then);
}

/** A request, and the stream below it. */
export interface HeldRequest {
  readonly request: IncomingMessage;
  readonly stream: ServerHttp2Stream | undefined;
}

/**
 * States the length of a held body to the application. In HTTP/2 the field is optional, and without it parsers take the
 * body for none.
 */
export function stateLength({ request, stream }: HeldRequest, length: number): void {
  if (stream !== undefined && length > 0) request.headers['content-length'] ??= String(length);
}

/** Ends what a client is still sending: the stream in HTTP/2 (RFC 9113 §8.1), in HTTP/1 the whole connection. */
export function cutOff({ request, stream }: HeldRequest): void {
  if (stream !== undefined) {
    // Not `close`: Node never destroys a closed stream whose bytes nobody reads.
    stream.destroy();
    return;
  }
  request.destroy();
  restoreSocket(request);
  // A request that was destroyed for its reader alone has left its connection open.
  request.socket.destroy();
}
