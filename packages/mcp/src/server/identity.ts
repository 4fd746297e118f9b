import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import type { Caller } from '@countersign/core';
import { callerOf as callerOfRequest } from '@countersign/core/adapter';

/** What the SDKs hand from a request to its handlers. `token` stays empty: no handler needs the credential. */
export interface McpAuthInfo {
  readonly token: string;
  readonly clientId: string;
  readonly scopes: string[];
}

/** The part of a handler's context that both SDKs have, each in its own place. */
export interface McpContext {
  readonly http?: { readonly authInfo?: object | undefined } | undefined;
  readonly authInfo?: object | undefined;
}

/** By the very object: nothing that merely looks like it has a caller. */
const callers = new WeakMap<object, Caller>();
const scope = new AsyncLocalStorage<{ readonly caller: Caller | undefined; hasEnded: boolean }>();

/** What carries a verified caller through a server of the official SDK. */
export function authInfoOf(caller: Caller): McpAuthInfo {
  const info = { token: '', clientId: caller.actor.id, scopes: [...caller.scope] };
  callers.set(info, caller);
  return info;
}

/** The caller that an object of `authInfoOf` carries. */
export function callerOfInfo(info: unknown): Caller | undefined {
  return typeof info === 'object' && info !== null ? callers.get(info) : undefined;
}

/** The caller that the context of a handler carries. Decisions are about this one: a scope may be that of another call. */
export function callerOfContext(context: McpContext): Caller | undefined {
  return callerOfInfo(context.http?.authInfo ?? context.authInfo);
}

/**
 * Who calls: in a tool, a prompt or a resource, with the context that the SDK gives to its handler. Without one, by
 * `AsyncLocalStorage`, so read it when the handler begins: a callback of what calls share, such as a pool or a worker, may
 * run in the context of another call. After a call has ended, its context names nobody.
 *
 * @example
 * server.registerTool('whoami', {}, async (_given, ctx) => ({
 *   content: [{ type: 'text', text: callerOf(ctx)?.subject.id ?? 'nobody' }],
 * }));
 */
export function callerOf(context?: McpContext): Caller | undefined {
  const current = scope.getStore();
  const within = current?.hasEnded === true ? undefined : current?.caller;
  return (context && callerOfContext(context)) ?? within;
}

/** Runs what a call does. `callerOf` knows who calls until it has ended: a connection that it opened keeps its context. */
export async function withinCall<Result>(caller: Caller | undefined, run: () => Promise<Result>): Promise<Result> {
  const current = { caller, hasEnded: false };
  try {
    return await scope.run(current, run);
  } finally {
    current.hasEnded = true;
  }
}

/**
 * Hands the caller that `agentAuth` verified to the SDK, as `request.auth`. A middleware of Express; in other frameworks
 * call it with Node's request: `mcpBridge(request.raw)` in Fastify, `mcpBridge(ctx.req)` in Koa.
 *
 * @example
 * app.use('/mcp', agentAuth(guard), permit(false), mcpBridge);
 */
export function mcpBridge(request: IncomingMessage, _response?: unknown, next?: () => void): void {
  const caller = callerOfRequest(request);
  if (caller !== undefined) Object.assign(request, { auth: authInfoOf(caller) });
  next?.();
}
