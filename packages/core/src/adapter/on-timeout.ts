import type { IncomingMessage } from 'node:http';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import { onConnection } from './on-connection.js';

/**
 * Calls back when the server gives up on a silent connection or stream. What it does about it stays as it is.
 *
 * @returns what ends it.
 */
export function onTimeout(request: IncomingMessage, callback: () => void): () => void {
  const stream = http2StreamOf(request);
  if (stream === undefined) return onConnection(request.socket, 'timeout', callback);
  stream.once('timeout', callback);
  const endSession = stream.session && onConnection(stream.session, 'timeout', callback);
  return () => {
    stream.off('timeout', callback);
    endSession?.();
  };
}
