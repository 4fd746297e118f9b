import { refusal } from '@countersign/core';
import type { NamedList } from '../decide/catalogue.js';
import { disagreeingField, disagreeingParameter } from '../decide/mirrored-fields.js';
import type { Denial } from '../decide/denial.js';
import { errorCodes, type JsonObject, type JsonRpcError } from '../decide/json-rpc.js';
import { openedParams } from '../decide/approval-page.js';
import {
  answerBadGateway,
  answerError,
  answerJson,
  answerNoSession,
  endpointOf,
  type Exchange,
  holdStream,
  type HttpParts,
} from './exchange.js';
import { ambiguity, argumentAmbiguity } from '../wire/ambiguity.js';
import { type ClientMessage, type ClientRequest, readMessage, type RequestId } from '../wire/message.js';
import { listItems } from './list-items.js';
import { serialize } from '../wire/plain-json.js';
import { readBody } from './read-body.js';
import { relay } from './relay.js';

/** Decides about the message in the body, and passes on what was read of it if it may run. */
export async function servePost(exchange: Exchange, headers: Headers, parts: HttpParts): Promise<void> {
  if (!isJson(headers)) {
    answerError(exchange, 415, { code: errorCodes.invalidRequest, message: 'A message is application/json' });
    return;
  }
  // Without the client's charset: the server must read the characters that were decided about.
  headers.set('content-type', 'application/json');
  const body = await readBody(exchange.request, parts.maxMessageBytes);
  if (!body.ok) {
    answerUnread(exchange, body.problem, parts);
    return;
  }
  const reading = readMessage(body.bytes);
  if (!reading.ok) {
    answerError(exchange, 400, { code: reading.code, message: reading.problem }, { id: reading.id });
    return;
  }
  const { message, value } = reading;
  const problem = problemOf(message, headers);
  if (problem !== undefined) {
    answerError(exchange, 400, problem, { id: message.kind === 'request' ? message.id : null });
  } else if (message.kind === 'request') {
    await serveRequest(exchange, { message, value, headers }, parts);
  } else {
    const denial = await refusedNotification(exchange, message);
    if (denial !== undefined) answerError(exchange, 400, denial.error);
    else await relay(exchange, { method: 'POST', headers, body: Buffer.from(serialize(value)) }, parts);
  }
}

async function refusedNotification(
  { caller, decisions }: Exchange,
  message: Exclude<ClientMessage, ClientRequest>,
): Promise<Denial | undefined> {
  return message.kind === 'notification' ? await decisions.refuseNotification(caller, message) : undefined;
}

function isJson(headers: Headers): boolean {
  const [type = ''] = (headers.get('content-type') ?? '').split(';');
  return type.trim().toLowerCase() === 'application/json';
}

function answerUnread(
  exchange: Exchange,
  problem: 'taken' | 'cut' | 'too_large',
  { maxMessageBytes }: HttpParts,
): void {
  switch (problem) {
    case 'too_large': {
      const message = `A message has at most ${maxMessageBytes} bytes`;
      answerError(exchange, 413, { code: errorCodes.invalidRequest, message }, { headers: { connection: 'close' } });
      break;
    }
    case 'cut':
      answerError(exchange, 400, { code: errorCodes.invalidRequest, message: 'The body did not come whole' });
      break;
    case 'taken':
      exchange.guard.report('guardMcpHttp found the body read already: mount it before any body parser');
      answerError(exchange, 500, { code: errorCodes.internal, message: 'Internal error' });
      break;
  }
}

function problemOf(message: ClientMessage, headers: Headers): JsonRpcError | undefined {
  if (needsSession(message) && !headers.has('mcp-session-id')) {
    return { code: errorCodes.invalidRequest, message: 'Invalid request: this message belongs to a session' };
  }
  // The fields for the arguments of a request are compared where it is decided.
  const field =
    disagreeingField(headers, message.kind === 'response' ? {} : message) ??
    (message.kind === 'request' ? undefined : disagreeingParameter(headers, undefined));
  if (field !== undefined) {
    return { code: errorCodes.headerMismatch, message: `The field ${field} and the body disagree` };
  }
  return ambiguity(message);
}

/** Without a session, an answer or a cancellation could be meant for the request of another caller. */
function needsSession(message: ClientMessage): boolean {
  return (
    message.kind === 'response' || (message.kind === 'notification' && message.method === 'notifications/cancelled')
  );
}

/** A request, with the whole message that it was read from. */
interface ReadRequest {
  readonly message: ClientRequest;
  readonly value: JsonObject;
  readonly headers: Headers;
}

/** Passes a request on once it is permitted, and its answer back. */
async function serveRequest(
  exchange: Exchange,
  { message, value, headers }: ReadRequest,
  parts: HttpParts,
): Promise<void> {
  const { caller, decisions } = exchange;
  const { id, method, params, approval } = message;
  // Whether the server answered when it was asked for what it offers.
  let listing: 'answered' | 'no_session' | 'failed' = 'answered';
  async function list(listed: NamedList): Promise<readonly unknown[] | undefined> {
    listing = 'failed';
    const items = await listItems(listed, message, headers, parts);
    if (items === 'no_session') listing = items;
    else if (items !== undefined) listing = 'answered';
    return items === 'no_session' ? undefined : items;
  }
  const ambiguous = argumentAmbiguity(message, parts.rules);
  const surroundings = {
    list,
    headers,
    approval,
    endpoint: endpointOf(exchange.request),
    ...(ambiguous && { ambiguity: ambiguous }),
  };
  const decision = await decisions.decide(caller, { method, params }, surroundings);
  if (!decision.ok) {
    answerRefused(exchange, id, decision.denial, listing);
    return;
  }
  if (method === 'subscriptions/listen' && !(await holdStream(exchange, method, id))) {
    await decision.end({ result: 'not_started' });
    return;
  }
  const passed = openedParams(params, decision);
  const opened = passed === params ? value : { ...value, params: passed };
  await relay(exchange, { method: 'POST', headers, body: Buffer.from(serialize(opened)) }, parts, {
    message,
    decision,
  });
}

function answerRefused(
  exchange: Exchange,
  id: RequestId,
  denial: Denial,
  listing: 'answered' | 'no_session' | 'failed',
): void {
  // What the caller may not see is refused in the same words whether or not the server lists.
  if (listing === 'answered' || denial.error.code !== errorCodes.internal) answerDenial(exchange, id, denial);
  else if (listing === 'no_session') answerNoSession(exchange);
  else answerBadGateway(exchange, id);
}

function answerDenial(exchange: Exchange, id: RequestId, { error, result, missingScope }: Denial): void {
  if (result !== undefined) {
    answerJson(exchange, 200, { jsonrpc: '2.0', id, result });
  } else if (missingScope === undefined) {
    answerError(exchange, error.code === errorCodes.headerMismatch ? 400 : 200, error, { id });
  } else {
    // Only a missing scope: more would help, so the client may ask its user for it.
    const challenge = exchange.guard.respond(refusal('insufficient_scope', undefined, missingScope)).headers;
    const headers = { 'www-authenticate': challenge['www-authenticate'] ?? 'Bearer' };
    answerError(exchange, 403, error, { id, headers });
  }
}
