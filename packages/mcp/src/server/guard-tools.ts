import { type Caller, checkOptionNames, ConfigError, type Guard } from '@countersign/core';
import { createMcpDecisions, type McpDecisions, outcomeOf } from '../decide/decisions.js';
import type { Denial } from '../decide/denial.js';
import { errorCodes } from '../decide/json-rpc.js';
import type { McpRules } from '../decide/rules.js';
import { callerOf, type McpContext, withCaller } from './identity.js';
import { OwnedSession } from './session.js';
import { withholdStreams } from './streams.js';

export interface GuardToolsOptions extends McpRules {
  /** Who calls over a transport without HTTP, such as standard input: from `guard.local`. Default: nobody. */
  readonly caller?: Caller;
}

/** The context of a handler, as far as both SDKs have it. */
interface HandlerContext extends McpContext {
  readonly requestInfo?: unknown;
  readonly signal?: AbortSignal;
  readonly mcpReq?: { readonly signal?: AbortSignal };
}

interface HandledRequest {
  readonly method: string;
  readonly params?: unknown;
}

type Handler = (request: HandledRequest, context: HandlerContext) => unknown;

/** The low-level server of either SDK. */
interface LowLevelServer {
  readonly _requestHandlers: Map<string, Handler>;
  readonly transport?: unknown;
  getCapabilities?: () => unknown;
  setRequestHandler: (...given: unknown[]) => unknown;
  connect: (transport: unknown, ...rest: unknown[]) => Promise<unknown>;
  fallbackRequestHandler?: Handler | undefined;
}

const optionNames = ['tools', 'methods', 'caller'] as const satisfies readonly (keyof GuardToolsOptions)[];
const guarded = new WeakSet<object>();
const known = new WeakMap<Guard, WeakMap<object, McpDecisions>>();
const noOptions: GuardToolsOptions = {};

/** Shared by the servers of one application: some frameworks create a server for each request. */
export function decisionsFor(guard: Guard, options: GuardToolsOptions = noOptions): McpDecisions {
  const ofGuard = known.get(guard) ?? new WeakMap<object, McpDecisions>();
  known.set(guard, ofGuard);
  const decisions = ofGuard.get(options) ?? createMcpDecisions(guard, options);
  ofGuard.set(options, decisions);
  return decisions;
}

/**
 * Guards a server of the official TypeScript SDK, version 1 or 2: each request is a decision of the policy and a record,
 * before the server or any check of its own sees it, and lists show only what the caller may use. Call it before
 * `connect`, at any place between the registrations. Pass the same options object for each server that you create.
 *
 * @throws ConfigError when an option is wrong, or this is no such server, or it is connected or guarded already.
 * @example
 * const server = guardTools(new McpServer({ name: 'tickets', version: '1.0.0' }), guard);
 */
export function guardTools<Server extends object>(
  server: Server,
  guard: Guard,
  options: GuardToolsOptions = noOptions,
): Server {
  if (typeof options !== 'object' || options === null) throw new ConfigError('guardTools: options must be an object.');
  checkOptionNames('guardTools', options, optionNames);
  const low = lowLevelServer(server);
  const decisions = decisionsFor(guard, options);
  const session = new OwnedSession(guard);
  guarded.add(low);
  withholdStreams(low);

  const wrapped = new WeakMap<Handler, Handler>();
  function wrap(handler: Handler, method?: string): Handler {
    if (wrapped.get(handler) === handler) return handler;
    const outer = guardedHandler(handler, method, { server, guard, decisions, session, local: options.caller });
    wrapped.set(outer, outer);
    return outer;
  }
  function wrapAll(): void {
    for (const [method, handler] of low._requestHandlers) low._requestHandlers.set(method, wrap(handler, method));
  }

  wrapAll();
  const { setRequestHandler, connect } = low;
  low.setRequestHandler = (...given) => {
    const registered = setRequestHandler.apply(low, given);
    wrapAll();
    return registered;
  };
  low.connect = async (transport, ...rest) => {
    wrapAll();
    session.watch(transport);
    return await connect.call(low, transport, ...rest);
  };
  let fallback = low.fallbackRequestHandler && wrap(low.fallbackRequestHandler);
  Object.defineProperty(low, 'fallbackRequestHandler', {
    configurable: true,
    get: () => fallback,
    set: (handler: Handler | undefined) => {
      fallback = handler && wrap(handler);
    },
  });
  return server;
}

/** Fails closed: a server whose inside is not as known is not served unguarded. */
function lowLevelServer(server: object): LowLevelServer {
  const low: unknown = 'server' in server ? server.server : server;
  if (
    typeof low !== 'object' ||
    low === null ||
    !('_requestHandlers' in low) ||
    !(low._requestHandlers instanceof Map)
  ) {
    throw new ConfigError(
      'guardTools: this is no server of @modelcontextprotocol/sdk 1 or @modelcontextprotocol/server 2.',
    );
  }
  if (guarded.has(low)) throw new ConfigError('guardTools: this server is guarded already.');
  const found = low as LowLevelServer;
  if (found.transport !== undefined) throw new ConfigError('guardTools: call it before connect().');
  return found;
}

interface HandlerParts {
  readonly server: object;
  readonly guard: Guard;
  readonly decisions: McpDecisions;
  readonly session: OwnedSession;
  readonly local: Caller | undefined;
}

function guardedHandler(handler: Handler, known: string | undefined, parts: HandlerParts): Handler {
  const { server, guard, decisions, session, local } = parts;

  /** Over HTTP a missing caller is a fault in how the server is mounted: it must not become the local one. */
  function callerFor(context: HandlerContext): Caller | undefined {
    const caller = callerOf(context);
    if (caller !== undefined) return caller;
    const isHttp = session.isHttp || context.http !== undefined || context.requestInfo !== undefined;
    if (isHttp)
      guard.report('a request of MCP came without a verified caller: mount agentAuth and mcpBridge before it');
    return isHttp ? undefined : local;
  }

  return async (request, context) => {
    const method = known ?? request.method;
    const caller = callerFor(context);
    if (caller === undefined) throw asError(nobody);
    if (method === 'tools/call') decisions.learn(registeredTool(server, request.params));
    const decision = await decisions.decide(caller, { ...request, method });
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
      const result = await withCaller(caller, async () => await handler(request, context));
      if (method === 'initialize') session.opened(caller);
      const answer = await decision.answer(result);
      await decision.end(outcomeOf(result));
      return answer.ok ? answer.result : answerDenial(answer.denial);
    } catch (error) {
      await decision.end({ result: isProtocolError(error) ? 'failed' : 'threw' });
      throw error;
    } finally {
      signal?.removeEventListener('abort', interrupted);
    }
  };
}

const nobody: Denial = {
  error: { code: errorCodes.unauthorized, message: 'Unauthorized', data: { code: 'signature_required' } },
};

function answerDenial({ error, result }: Denial): unknown {
  if (result !== undefined) return result;
  throw asError({ error });
}

/** Both SDKs answer with the code and the data of any error that has them. */
function asError({ error: { code, message, data } }: Denial): Error {
  return Object.assign(new Error(message), { code, ...(data && { data }) });
}

function isProtocolError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && Number.isInteger(error.code);
}

/** What the client did meanwhile: its reason is only told, not proved. */
function interruption(signal: AbortSignal | undefined): { readonly result: 'cancelled' | 'timed_out' } {
  return { result: /timed out|timeout/i.test(String(signal?.reason)) ? 'timed_out' : 'cancelled' };
}

/** The tool as `McpServer` keeps it, since a client may call what it never listed. */
function registeredTool(server: object, params: unknown): readonly unknown[] {
  const name: unknown = typeof params === 'object' && params !== null && 'name' in params ? params.name : undefined;
  const tools: unknown = '_registeredTools' in server ? server._registeredTools : undefined;
  if (typeof name !== 'string' || typeof tools !== 'object' || tools === null || !Object.hasOwn(tools, name)) return [];
  const tool: unknown = Reflect.get(tools, name);
  const annotations: unknown =
    typeof tool === 'object' && tool !== null && 'annotations' in tool ? tool.annotations : undefined;
  return [{ name, annotations }];
}
