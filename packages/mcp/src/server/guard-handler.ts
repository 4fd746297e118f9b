import { type Caller, ConfigError, type Guard } from '@countersign/core';
import { errorCodes, memberOf } from '../decide/json-rpc.js';
import { openStream, tooManyStreams } from '../decide/open-streams.js';
import { isRequestId } from '../wire/message.js';
import { decisionsFor, type GuardToolsOptions } from './guard-tools.js';
import { refuseEarly, refuseHugeBatch } from './early-refusal.js';
import { callerOfInfo } from './identity.js';
import { endingWithCaller } from './lapse.js';
import { servedGuarded } from './mount-check.js';
import { withDecidedStream } from './streams.js';

/** What `createMcpHandler` of SDK version 2 makes, as far as it is used here. */
interface FetchHandler {
  fetch: (request: Request, options?: HandlerOptions) => Promise<Response>;
}

interface HandlerOptions {
  readonly authInfo?: unknown;
  readonly parsedBody?: unknown;
}

const method = 'subscriptions/listen';

/**
 * Guards what a handler of `createMcpHandler` (SDK version 2) answers by itself: streams of notifications
 * (`subscriptions/listen`), which reach no server. The servers of its factory need `guardTools`, with the same options.
 *
 * @throws ConfigError if this is no such handler.
 * @example
 * const handler = guardHandler(createMcpHandler(() => guardTools(createServer(), guard)), guard);
 */
export function guardHandler<Handler extends object>(
  handler: Handler,
  guard: Guard,
  options?: GuardToolsOptions,
): Handler {
  if (!isFetchHandler(handler)) throw new ConfigError('guardHandler: this is no handler of createMcpHandler.');
  const decisions = decisionsFor('guardHandler', guard, options);
  const { fetch } = handler;

  async function refusalFor(
    message: unknown,
    caller: Caller | undefined,
    headers: Headers,
  ): Promise<Response | undefined> {
    const params = memberOf(message, 'params');
    const id = memberOf(message, 'id');
    if (caller === undefined && guard.mode === 'observe') return undefined;
    if (caller === undefined) return errorResponse(401, id, { code: -32001, message: 'Unauthorized' });
    const decision = await decisions.decide(caller, { method, params }, { headers });
    if (!decision.ok) return errorResponse(200, id, decision.denial.error);
    // The stream itself ends with the response, which has an outcome of its own.
    await decision.end({ result: 'finished' });
    return undefined;
  }

  handler.fetch = async (request, given) => {
    const caller = callerOfInfo(given?.authInfo);
    const message = await messageOf(request, given);
    const huge = refuseHugeBatch(message);
    if (huge !== undefined) return new Response(huge.body, huge);
    let listens: { readonly id: unknown } | undefined;
    for (const one of Array.isArray(message) ? message : [message]) {
      if (memberOf(one, 'method') !== method) continue;
      const refused = await refusalFor(one, caller, request.headers);
      if (refused !== undefined) return refused;
      listens = { id: memberOf(one, 'id') };
    }
    const early = caller && (await refuseEarly(message, caller, { guard, decisions }));
    if (early !== undefined) return new Response(early.body, early);
    const serve = async (): Promise<Response> => await fetch.call(handler, request, given);
    const release = listens && caller && (await openStream(guard, caller, method));
    if (listens !== undefined && caller !== undefined && release === undefined) {
      return errorResponse(429, listens.id, tooManyStreams);
    }
    try {
      const served = listens === undefined ? serve : () => withDecidedStream(serve);
      const response = await servedGuarded(guard, message, served);
      if (response === undefined) return errorResponse(500, memberOf(message, 'id'), internal);
      return caller === undefined ? response : endingWithCaller(guard, caller, response, release);
    } catch (error) {
      release?.();
      throw error;
    }
  };
  return handler;
}

const internal = { code: errorCodes.internal, message: 'Internal error' };

function isFetchHandler(handler: object): handler is FetchHandler {
  return 'fetch' in handler && typeof handler.fetch === 'function';
}

/** By the body and not by `Mcp-Method`: the body is what counts. What is no JSON is left to the SDK to refuse. */
async function messageOf(request: Request, given: HandlerOptions | undefined): Promise<unknown> {
  if (given?.parsedBody !== undefined) return given.parsedBody;
  if (request.method !== 'POST' || request.body === null) return undefined;
  try {
    return await request.clone().json();
  } catch {
    return undefined;
  }
}

function errorResponse(status: number, id: unknown, error: object): Response {
  const headers = { 'cache-control': 'no-store' };
  return Response.json({ jsonrpc: '2.0', id: isRequestId(id) ? id : null, error }, { status, headers });
}
