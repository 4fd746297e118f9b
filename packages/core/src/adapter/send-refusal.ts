import type { ServerResponse } from 'node:http';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import type { RefusalResponse } from '../model/refusal.js';

/** How long a client that is still sending may go on reading our answer (as other servers linger before they close). */
const lingerMilliseconds = 2000;

/**
 * Answers with a refusal: the same bytes on every host that is built on node:http. Does nothing once an answer has
 * begun. Discard the request's body first, so that a short rest of it is drained.
 */
export function sendRefusal(response: ServerResponse, refused: RefusalResponse): void {
  if (response.headersSent || response.writableEnded) return;
  const { req: request } = response;
  // In HTTP/2 a stream ends alone, and there is no connection to speak of (RFC 9113 §8.2.2).
  const unread = !request.complete && !request.destroyed && http2StreamOf(request) === undefined;
  response.writeHead(refused.status, {
    ...refused.headers,
    'content-length': Buffer.byteLength(refused.body),
    ...(unread ? { connection: 'close' } : {}),
  });
  const body = request.method === 'HEAD' ? '' : refused.body;
  if (unread) endLater(response, body);
  else response.end(body);
}

/** Sends the answer whole at once. Closing while bytes come in would reset the connection, and may lose it on its way. */
function endLater(response: ServerResponse, body: string): void {
  if (body === '') response.flushHeaders();
  else response.write(body);
  const timer = setTimeout(end, lingerMilliseconds).unref();
  response.req.once('close', end);
  function end(): void {
    clearTimeout(timer);
    response.end();
  }
}
