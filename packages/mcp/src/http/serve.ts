import { errorCodes } from '../decide/json-rpc.js';
import { answerError, answerNoSession, eventPurpose, type Exchange, holdStream, type HttpParts } from './exchange.js';
import { fieldsForServer } from './fields.js';
import { relay } from './relay.js';
import { servePost } from './serve-post.js';

/** Serves one request to the endpoint. Never rejects. */
export async function serve(exchange: Exchange, parts: HttpParts): Promise<void> {
  try {
    await serveMethod(exchange, parts);
  } catch (error) {
    exchange.guard.report('serving an MCP request failed', String(error));
    answerError(exchange, 500, { code: errorCodes.internal, message: 'Internal error' });
  }
}

async function serveMethod(exchange: Exchange, parts: HttpParts): Promise<void> {
  const { request, caller } = exchange;
  const { method = '' } = request;
  if (!['GET', 'POST', 'DELETE'].includes(method)) {
    const error = { code: errorCodes.invalidRequest, message: 'Method not allowed' };
    answerError(exchange, 405, error, { headers: { allow: 'GET, POST, DELETE' } });
    return;
  }
  const headers = fieldsForServer(request);
  const sealed = headers.get('mcp-session-id');
  if (sealed !== null) {
    const session = parts.seal.unseal(sealed, 'session', caller);
    if (session === undefined) {
      answerNoSession(exchange);
      return;
    }
    headers.set('mcp-session-id', session);
  }
  const event = headers.get('last-event-id');
  if (event !== null) {
    const opened = parts.seal.unseal(event, eventPurpose(headers.get('mcp-session-id') ?? ''), caller);
    if (sealed === null || opened === undefined) {
      const message = 'Invalid request: an event belongs to a session';
      answerError(exchange, 400, { code: errorCodes.invalidRequest, message });
      return;
    }
    // A field has bytes: of an id those of UTF-8.
    headers.set('last-event-id', Buffer.from(opened).toString('latin1'));
  }
  if (method === 'POST') await servePost(exchange, headers, parts);
  else if (method === 'DELETE' || (await holdStream(exchange, 'stream')))
    await relay(exchange, { method, headers, body: undefined }, parts);
}
