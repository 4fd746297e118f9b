import type { IncomingMessage } from 'node:http';
import { type BodyFailure, bodyFailure } from '../../model/request-body.js';
import { type HeldRequest, isClosedStream } from './http2-stream.js';

/** `gone`: its client went away before the end of the body. */
type Incoming = HeldRequest & { readonly gone: boolean };

/** The failure of a body that cannot be taken, if it is known before the first byte is read. */
export function obstacle({ request, stream, gone }: Incoming, maxBytes: number): BodyFailure | undefined {
  // Checked first, because Node itself reads and drops the body of a disconnected client.
  if (gone || isClosedStream(stream)) return bodyFailure('body_incomplete', 'the client went away');
  // Each look at a member of a request of Express is a search.
  const announced = contentLength(request);
  if (wasRead(request, announced))
    return bodyFailure('body_consumed', 'a parser read the body first: put the guard before it');
  // Node drops fields beyond `maxHeadersCount`, also the one that announces the body.
  if (!announcesBody(request, stream, announced) && request.readableLength === 0) return undefined;
  if (!request.readableEnded && isBeingRead(request)) {
    return bodyFailure('body_consumed', 'something listens to the body already: put the guard before it');
  }
  const length = Math.max(announced, request.readableLength);
  return length > maxBytes ? bodyFailure('body_too_large', `${length} bytes, at most ${maxBytes} are kept`) : undefined;
}

/** Whether a reader is attached already: it would consume the released bytes before the parser after the guard. */
export function isBeingRead(request: IncomingMessage): boolean {
  return (
    request.readableFlowing === true ||
    request.listenerCount('data') > 0 ||
    request.listenerCount('readable') > 0 ||
    (request.readableEncoding !== null && request.readableLength > 0)
  );
}

/** Calls back when the request has a reader: at once, or after the first one has attached all its listeners. */
export function whenRead(request: IncomingMessage, then: () => void): void {
  if (isBeingRead(request)) {
    then();
    return;
  }
  const begin = () => {
    request.off('newListener', listening);
    request.off('resume', begin);
    process.nextTick(then);
  };
  const listening = (event: string | symbol) => {
    if (event === 'readable') begin();
  };
  request.on('newListener', listening);
  request.on('resume', begin);
}

interface WithReadableState {
  readonly _readableState: { dataEmitted: boolean };
}

/** Takes the chunks in the stream's own buffer, and leaves the request unread for whoever asks. */
export function takeBuffered(request: IncomingMessage): Buffer[] {
  const chunks: Buffer[] = [];
  if (request.readableLength === 0) return chunks;
  for (let chunk: unknown = request.read(); chunk !== null; chunk = request.read()) {
    if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  }
  // `readableDidRead` answers by this field alone, and a request that was read is refused by fetch and by MCP.
  (request as unknown as WithReadableState)._readableState.dataEmitted = false;
  return chunks;
}

/** RFC 9112 §6.3: without either field an HTTP/1 request has no body. HTTP/2 says it with END_STREAM (RFC 9113 §8.1). */
function announcesBody(request: IncomingMessage, stream: HeldRequest['stream'], length: number): boolean {
  if (stream !== undefined) return !stream.endAfterHeaders;
  return length > 0 || request.headers['transfer-encoding'] !== undefined;
}

/** Node's parser refuses a value that is not digits, and two different values. */
function contentLength({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? 0);
}

function wasRead(request: IncomingMessage, length: number): boolean {
  return request.readableDidRead || (request.readableEnded && length > 0);
}
