import { type IncomingMessage, OutgoingMessage } from 'node:http';
import { Http2ServerResponse } from 'node:http2';
import { acceptSignature } from '../possession/profile.js';
import { refusal } from '../../model/refusal.js';
import { RefusalError, refusalResponse } from '../../model/refusal-response.js';
import type { BodyFailure } from '../../model/request-body.js';
import { whenRead } from './readers.js';

/** What a request is piped to. One of an older kind may have no `destroy`. */
export interface Destination extends NodeJS.WritableStream {
  destroy?(error: Error): unknown;
}

/** The error that a reader gets in place of the end of a body. Its `status`, `code` and `headers` are those of the refusal. */
function bodyError({ code, detail }: BodyFailure): RefusalError {
  const refused = refusal(code, detail);
  return new RefusalError(refused, refusalResponse(refused, acceptSignature));
}

/**
 * Destroys a request for its reader alone: whoever reads it gets the error, and the connection stays, so that an answer
 * can still go out. `destinations` are what the request is piped to: `pipe` does not hand errors on. Says whether
 * anybody listened.
 */
export function failReader(
  request: IncomingMessage,
  failure: BodyFailure,
  destinations: Iterable<Destination> = [],
): boolean {
  const error = bodyError(failure);
  let heard = request.listenerCount('error') > 0;
  for (const destination of destinations) {
    // Before the count: pipe itself listens for errors of its destination.
    request.unpipe(destination);
    if (destination.listenerCount('error') > 0) heard = true;
    // An answer, or a request to another server, would stay open for ever.
    else if (isMessage(destination)) destination.on('error', () => {});
    // Any other that nobody listens to is left as `pipe` leaves it: it might take its `close` for the end, and pass the error
    // on to streams of its own.
    else continue;
    destination.destroy?.(error);
  }
  // A reader that comes later finds the error on the stream. Without a listener it would end the process.
  request.on('error', () => {});
  // IncomingMessage's own would take the connection along.
  request._destroy = (cause, done) => process.nextTick(done, cause);
  request.destroy(error);
  // The requests of inject() do not let themselves be destroyed once they have handed over their body.
  if (!request.destroyed) request.emit('error', error);
  return heard;
}

function isMessage(destination: Destination): boolean {
  return destination instanceof OutgoingMessage || destination instanceof Http2ServerResponse;
}

/**
 * Fails the reader of a request once there is one: a late one would not hear the error, or would take the destroyed request
 * for an empty body. Over HTTP/2, a reader would otherwise wait for ever after its client has gone.
 */
export function failWhenRead(
  request: IncomingMessage,
  failure: BodyFailure,
  destinations?: Iterable<Destination>,
  failed?: (heard: boolean) => void,
): void {
  whenRead(request, () => {
    const heard = failReader(request, failure, destinations);
    failed?.(heard);
  });
}

/** Keeps account of where a request is piped to. */
export function recordPipes(request: IncomingMessage): ReadonlySet<Destination> {
  const destinations = new Set<Destination>();
  // oxlint-disable-next-line typescript/unbound-method -- called with its request below
  const { pipe, unpipe } = request;
  request.pipe = <T extends NodeJS.WritableStream>(destination: T, options?: { readonly end?: boolean }): T => {
    destinations.add(destination);
    return pipe.call(request, destination, options) as T;
  };
  request.unpipe = (destination?: NodeJS.WritableStream) => {
    if (destination === undefined) destinations.clear();
    else destinations.delete(destination);
    return unpipe.call(request, destination);
  };
  return destinations;
}
