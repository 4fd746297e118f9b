import type { IncomingMessage } from 'node:http';
import { type BodyFailure, bodyFailure } from '../../model/request-body.js';
import { http2StreamOf, isClosedStream } from './http2-stream.js';
import type { Tap } from './tap.js';

/** Why a body cannot be taken, if that is known before a byte of it is read. */
export function obstacle({ request, gone }: Tap, maxBytes: number): BodyFailure | undefined {
  // First, because Node itself reads and drops what came from a client that went away.
  if (gone || isClosedStream(request)) return bodyFailure('body_incomplete', 'the client went away');
  if (wasRead(request)) return bodyFailure('body_consumed', 'a parser read the body first: put the guard before it');
  if (!announcesBody(request)) return undefined;
  if (!request.readableEnded && isBeingRead(request)) {
    return bodyFailure('body_consumed', 'something listens to the body already: put the guard before it');
  }
  const length = Math.max(contentLength(request), request.readableLength);
  return length > maxBytes ? bodyFailure('body_too_large', `${length} bytes, at most ${maxBytes} are kept`) : undefined;
}

/** Whoever listens already would take the bytes when they are released, and leave none for the parser behind us. */
export function isBeingRead(request: IncomingMessage): boolean {
  return (
    request.readableFlowing === true ||
    request.listenerCount('data') > 0 ||
    request.listenerCount('readable') > 0 ||
    (request.readableEncoding !== null && request.readableLength > 0)
  );
}

/** Calls back once somebody reads: at once, or after whoever comes first has put up all its listeners. */
export function whenRead(request: IncomingMessage, then: () => void): void {
  if (isBeingRead(request) || request.readableDidRead) {
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

/** Takes what lies in the stream's own buffer. */
export function takeBuffered(request: IncomingMessage): Buffer[] {
  const chunks: Buffer[] = [];
  if (request.readableLength === 0) return chunks;
  for (let chunk: unknown = request.read(); chunk !== null; chunk = request.read()) {
    if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  }
  return chunks;
}

/** RFC 9112 §6.3: without either field an HTTP/1 request has no body. HTTP/2 says it with END_STREAM (RFC 9113 §8.1). */
function announcesBody(request: IncomingMessage): boolean {
  const stream = http2StreamOf(request);
  if (stream !== undefined) return !stream.endAfterHeaders;
  return request.headers['transfer-encoding'] !== undefined || contentLength(request) > 0;
}

/** Node's parser has refused everything but digits, and two fields that differ. */
function contentLength({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? 0);
}

function wasRead(request: IncomingMessage): boolean {
  return request.readableDidRead || (request.readableEnded && contentLength(request) > 0);
}
