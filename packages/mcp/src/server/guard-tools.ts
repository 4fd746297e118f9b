import { type Caller, checkOptionNames, ConfigError, type Guard } from '@countersign/core';
import { decisionsOf, type McpDecisions } from '../decide/decisions.js';
import { memberOf } from '../decide/json-rpc.js';
import { type McpRules, readRules } from '../decide/rules.js';
import { createSeal, readSealKey, type Seal } from '../decide/seal.js';
import { TaskOwners } from '../decide/task-owners.js';
import { callerFor } from './caller-for.js';
import { guardedHandler, type Handler, learnRegistered } from './guarded-handler.js';
import { guardInbound, type InboundServer } from './inbound.js';
import type { McpContext } from './identity.js';
import { noteGuarded } from './mount-check.js';
import { OwnedSession } from './session.js';
import { withholdStreams } from './streams.js';

export interface GuardToolsOptions extends McpRules {
  /** Who calls over a transport without HTTP, such as standard input: from `guard.local`. Default: nobody. */
  readonly caller?: Caller;
  /**
   * The secret that binds the states of the server (`requestState`) to their callers, at least 32 bytes. Give the same one
   * to all processes that serve an endpoint. Default: a random one for this process.
   */
  readonly sealKey?: Uint8Array;
}

/** The low-level server of either SDK. */
interface LowLevelServer extends InboundServer {
  readonly _requestHandlers: Map<string, Handler>;
  readonly _serverInfo?: unknown;
  getCapabilities?: () => unknown;
  setRequestHandler: (...given: unknown[]) => unknown;
  connect: (transport: unknown, ...rest: unknown[]) => Promise<unknown>;
  fallbackRequestHandler?: Handler | undefined;
}

const optionNames = ['tools', 'methods', 'caller', 'sealKey'] as const satisfies readonly (keyof GuardToolsOptions)[];
const guarded = new WeakSet<object>();
const known = new WeakMap<Guard, WeakMap<object, () => McpDecisions>>();
const seals = new WeakMap<Guard, Seal>();
const noOptions: GuardToolsOptions = {};

/**
 * Decisions of one server. The servers with the same options share their tasks and seal, because some frameworks create a
 * server for each request. They share nothing that a server says of its tools: another one may have a tool of that name.
 */
export function decisionsFor(owner: string, guard: Guard, options: GuardToolsOptions = noOptions): McpDecisions {
  if (typeof options !== 'object' || options === null) throw new ConfigError(`${owner}: options must be an object.`);
  checkOptionNames(owner, options, optionNames);
  const ofGuard = known.get(guard) ?? new WeakMap<object, () => McpDecisions>();
  known.set(guard, ofGuard);
  const create = ofGuard.get(options) ?? creatorOf(owner, guard, options);
  ofGuard.set(options, create);
  return create();
}

function creatorOf(owner: string, guard: Guard, options: GuardToolsOptions): () => McpDecisions {
  const rules = readRules(owner, options);
  const seal = sealFor(owner, guard, options);
  const owners = new TaskOwners();
  return () => decisionsOf(guard, rules, seal, owners);
}

/** One for each guard, so that a server finds the states of another one that was created for an earlier request. */
function sealFor(owner: string, guard: Guard, { sealKey }: GuardToolsOptions): Seal {
  const key = readSealKey(owner, sealKey);
  const seal = key === undefined ? (seals.get(guard) ?? createSeal()) : createSeal(key);
  if (key === undefined) seals.set(guard, seal);
  return seal;
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
  const decisions = decisionsFor('guardTools', guard, options);
  const low = lowLevelServer(server);
  const session = new OwnedSession(guard, decisions, (message) => {
    const method = memberOf(message, 'method');
    if (typeof method === 'string') learnRegistered(server, decisions, method, memberOf(message, 'params'));
  });
  const whoCalls = (context: McpContext | undefined): Caller | undefined =>
    callerFor(context, { guard, session, local: options.caller });
  guarded.add(low);
  withholdStreams(low);
  guardInbound(low, { guard, decisions, callerFor: whoCalls });

  const wrapped = new WeakMap<Handler, Handler>();
  const unguarded = new Map<string, Handler>();
  let unguardedFallback: Handler | undefined;
  function wrap(handler: Handler, method?: string): Handler {
    if (wrapped.get(handler) === handler) return handler;
    if (method === undefined) unguardedFallback = handler;
    else unguarded.set(method, handler);
    const outer = guardedHandler(handler, method, {
      server,
      guard,
      decisions,
      session,
      callerFor: whoCalls,
      endpoint: String(memberOf(low._serverInfo, 'name')),
      unguarded: (listed) => unguarded.get(listed) ?? unguardedFallback,
    });
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
    noteGuarded();
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

const inbound: readonly string[] = ['_onrequest', '_onnotification'] satisfies readonly (keyof InboundServer)[];

/** Fails closed: a server whose inside is not as known is not served unguarded. */
function lowLevelServer(server: object): LowLevelServer {
  const low: unknown = 'server' in server ? server.server : server;
  if (
    typeof low !== 'object' ||
    low === null ||
    !('_requestHandlers' in low) ||
    !(low._requestHandlers instanceof Map) ||
    !inbound.every((name) => name in low && typeof Reflect.get(low, name) === 'function')
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
