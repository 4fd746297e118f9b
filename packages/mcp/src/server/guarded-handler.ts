import { defined } from '@countersign/common';
import type { Caller, Guard } from '@countersign/core';
import type { NamedList } from '../decide/catalogue.js';
import { outcomeOf } from '../decide/call-end.js';
import type { McpDecisions } from '../decide/decisions.js';
import { type Denial, nobody } from '../decide/denial.js';
import { errorCodes, isJsonObject, type JsonRpcError, type JsonRpcRequest, memberOf } from '../decide/json-rpc.js';
import { listPages } from '../decide/list-pages.js';
import { capabilitiesIn, opensPages } from '../decide/request-meta.js';
import { openedParams, withoutApprovalAnswer } from '../decide/approval-page.js';
import { type McpContext, withinCall } from './identity.js';
import type { OwnedSession } from './session.js';

/** The context of a handler, as far as both SDKs have it. */
export interface HandlerContext extends McpContext {
  readonly http?: { readonly authInfo?: object | undefined; readonly req?: { readonly headers?: unknown } } | undefined;
  readonly requestInfo?: { readonly headers?: unknown };
  readonly signal?: AbortSignal;
  readonly mcpReq?: {
    readonly signal?: AbortSignal;
    /** Of revision 2026-07-28 only. */
    readonly envelope?: unknown;
    readonly requestState?: () => unknown;
    readonly inputResponses?: unknown;
  };
}

export type Handler = (request: JsonRpcRequest, context: HandlerContext) => unknown;

export interface HandlerParts {
  readonly server: object;
  readonly guard: Guard;
  readonly decisions: McpDecisions;
  readonly session: OwnedSession;
  readonly callerFor: (context: HandlerContext) => Caller | undefined;
  /** Its name: states of one server do not count at another. */
  readonly endpoint: string;
  /** The handler of a method without its guard. */
  readonly unguarded: (method: string) => Handler | undefined;
}

/** The outermost wrap of a handler: whatever the server does with a request comes after the decision. */
export function guardedHandler(handler: Handler, known: string | undefined, parts: HandlerParts): Handler {
  const { server, guard, decisions, session, callerFor, endpoint, unguarded } = parts;

  return async (request, context) => {
    const method = known ?? request.method;
    const caller = callerFor(context);
    const run = async (...given: Parameters<Handler>) => await withinCall(caller, async () => await handler(...given));
    if (caller === undefined && guard.mode === 'observe') return await run(request, context);
    if (caller === undefined) throw asError(nobody);
    learnRegistered(server, decisions, method, request.params);
    const asked = withLifted({ ...request, method }, context);
    const list = (listed: NamedList) =>
      withinCall(caller, () => listPages(listed, asked, askingItself(unguarded(listed), request, listed, context)));
    const headers = headersOf(context);
    const decision = await decisions.decide(caller, asked, {
      list,
      isInProcess: true,
      endpoint,
      ...(headers && { headers }),
      ...(context.mcpReq?.envelope !== undefined && { isModern: true }),
      opensPages: opensPages(capabilitiesOf(server, context)),
    });
    if (!decision.ok) return answerDenial(decision.denial);
    const signal = context.mcpReq?.signal ?? context.signal;
    if (signal?.aborted === true) {
      await decision.end({ result: 'not_started' });
      throw asError({ error: { code: errorCodes.internal, message: 'The request was cancelled.' } });
    }
    // Recorded at once: a handler may ignore its signal, and never end.
    const interrupted = () => void decision.end(interruption(signal));
    signal?.addEventListener('abort', interrupted, { once: true });
    try {
      const isPlain = decision.requestState === undefined && !decision.isApproval;
      const given = isPlain ? ([request, context] as const) : opened(request, context, decision);
      const result = await run(...given);
      if (method === 'initialize') session.opened(caller);
      const answer = await decision.answer(result);
      await decision.end(outcomeOf(result));
      return answer.ok ? answer.result : answerDenial(answer.denial);
    } catch (error) {
      const isProtocol = isProtocolError(error);
      await decision.end({ result: isProtocol ? 'failed' : 'threw' });
      if (!isProtocol) throw error;
      const told = decision.answerError(error);
      throw told === error ? error : asError({ error: told });
    } finally {
      signal?.removeEventListener('abort', interrupted);
    }
  };
}

/** SDK 2 takes the members of a further round out of the parameters, and hands them over in the context. */
function withLifted(request: JsonRpcRequest, { mcpReq }: HandlerContext): JsonRpcRequest {
  const lifted = defined({ requestState: mcpReq?.requestState?.(), inputResponses: mcpReq?.inputResponses });
  if (Object.keys(lifted).length === 0) return request;
  return { ...request, params: { ...(isJsonObject(request.params) && request.params), ...lifted } };
}

/** The request and context with the server's own state, and without what the guard asked the user. */
function opened(
  request: JsonRpcRequest,
  context: HandlerContext,
  decision: { readonly requestState: string | undefined; readonly isApproval: boolean },
): readonly [JsonRpcRequest, HandlerContext] {
  const { requestState, isApproval } = decision;
  if (context.mcpReq?.requestState !== undefined) {
    const { inputResponses, ...rest } = context.mcpReq;
    const others = isApproval ? withoutApprovalAnswer(inputResponses) : inputResponses;
    const answers = others === undefined ? {} : { inputResponses: others };
    return [request, { ...context, mcpReq: { ...rest, ...answers, requestState: () => requestState } }];
  }
  const params = isJsonObject(request.params) ? request.params : {};
  return [{ ...request, params: openedParams(params, decision) }, context];
}

/** What the client can do: stated with each request of revision 2026-07-28, once for a session before. */
function capabilitiesOf(server: object, { mcpReq }: HandlerContext): unknown {
  if (mcpReq?.envelope !== undefined) return capabilitiesIn(mcpReq.envelope);
  const low: unknown = 'server' in server ? server.server : server;
  const known: unknown = typeof low === 'object' && low !== null && Reflect.get(low, 'getClientCapabilities');
  return typeof known === 'function' ? known.call(low) : undefined;
}

function askingItself(
  handler: Handler | undefined,
  request: JsonRpcRequest,
  method: string,
  context: HandlerContext,
): (params: object) => Promise<unknown> {
  return async (params) =>
    handler === undefined ? {} : ((await handler({ ...request, method, params }, context)) ?? {});
}

/** The fields of HTTP that repeat the message. */
function headersOf(context: HandlerContext): Headers | undefined {
  const given = context.http?.req?.headers ?? context.requestInfo?.headers;
  if (typeof given !== 'object' || given === null) return undefined;
  const entries = Symbol.iterator in given ? [...(given as Iterable<[string, unknown]>)] : Object.entries(given);
  const mirrored = entries.filter(([name]) => name.startsWith('mcp-'));
  return new Headers(
    mirrored.flatMap(([name, values]) => [values].flat().map((value): [string, string] => [name, String(value)])),
  );
}

function answerDenial({ error, result }: Denial): unknown {
  if (result !== undefined) return result;
  throw asError({ error });
}

/** Both SDKs answer with the code and the data of any error that has them. */
function asError({ error: { code, message, data } }: Denial): Error {
  return Object.assign(new Error(message), { code, ...(data && { data }) });
}

function isProtocolError(error: unknown): error is Error & JsonRpcError {
  return error instanceof Error && 'code' in error && Number.isInteger(error.code);
}

/** What the client did meanwhile: its reason is only told, not proved. */
function interruption(signal: AbortSignal | undefined): { readonly result: 'cancelled' | 'timed_out' } {
  return { result: /timed out|timeout/i.test(String(signal?.reason)) ? 'timed_out' : 'cancelled' };
}

/** Learns what `McpServer` keeps, since a client may call what it never listed. */
export function learnRegistered(server: object, decisions: McpDecisions, method: string, params: unknown): void {
  if (method === 'tools/call') {
    const name = memberOf(params, 'name');
    const tool = registered(server, '_registeredTools', name);
    if (tool !== undefined) decisions.learn('tools/list', [{ name, annotations: memberOf(tool, 'annotations') }]);
  } else {
    const name = memberOf(method === 'completion/complete' ? memberOf(params, 'ref') : params, 'name');
    const prompt = registered(server, '_registeredPrompts', name);
    if (prompt !== undefined) decisions.learn('prompts/list', [{ name }]);
  }
}

function registered(server: object, member: string, name: unknown): unknown {
  const all: unknown = Reflect.get(server, member);
  return typeof name === 'string' ? memberOf(all, name) : undefined;
}
