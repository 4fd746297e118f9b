import type { Caller as CallerOfCore, Subject } from '@countersign/core';
import { actingUserOf, admissionOf, callerOf, isNodeRequest } from '@countersign/core/adapter';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

/** A request in a route, with the members that every platform has. */
export interface PermitRequest {
  readonly params: Readonly<Record<string, string | string[]>>;
  readonly query: unknown;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Node's own request, given the request of a platform. On Fastify it is `raw`. */
export function nodeRequest(request: object): IncomingMessage {
  const { raw } = request as { readonly raw?: unknown };
  return (isNodeRequest(raw) ? raw : request) as IncomingMessage;
}

/**
 * Finds the admitted request of a call that Nest did not route itself, like that of a resolver of GraphQL: an argument, or a
 * member of one. Undefined: no HTTP request is in sight, like in a handler of messages.
 */
export function requestAmong(args: readonly unknown[]): IncomingMessage | undefined {
  return requestsAmong(args).find((node) => admissionOf(node) !== undefined);
}

/** Whether a call has the request that opened a WebSocket, which no guard admits. The field alone is the client's word. */
export function isOfSocket(args: readonly unknown[]): boolean {
  return requestsAmong(args).some((node) => isNodeRequest(node) && 'upgrade' in node && node.upgrade === true);
}

function requestsAmong(args: readonly unknown[]): IncomingMessage[] {
  return args.filter(isObject).flatMap((argument) => {
    const { req, request, reply, extra } = argument as Readonly<Record<'req' | 'request' | 'reply' | 'extra', unknown>>;
    const held = [reply, extra].map((holder) =>
      isObject(holder) ? (holder as { request?: unknown }).request : undefined,
    );
    return [argument, req, request, ...held].filter(isObject).map(nodeRequest);
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function requestOf(context: ExecutionContext): object | undefined {
  return context.getType<string>() === 'http'
    ? context.switchToHttp().getRequest<object>()
    : requestAmong(context.getArgs());
}

/** The verified caller; undefined for people in mixed traffic. Takes the request of Express, of Fastify or of Node. */
export function getCaller(request: object): CallerOfCore | undefined {
  return callerOf(nodeRequest(request));
}

/**
 * The user on whose behalf the agent acts, once the `@Permit` of this request has allowed it. Undefined for people, for an
 * agent that acts for itself, and in middleware. Your own guards run later than the permit, so they may ask.
 *
 * @example
 * ```ts
 * const user = actingUser(context.switchToHttp().getRequest());
 * ```
 */
export function actingUser(request: object): Subject | undefined {
  return actingUserOf(nodeRequest(request));
}

/** Injects the verified caller; undefined for people in mixed traffic: `read(@Caller() caller: Caller) { … }`. */
export const Caller: () => ParameterDecorator = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const request = requestOf(context);
  return request && getCaller(request);
});

/** The verified caller, under the name of its decorator. */
export type Caller = CallerOfCore;

/** Injects the user on whose behalf the agent acts; see `actingUser`. */
export const ActingUser: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => {
    const request = requestOf(context);
    return request && actingUser(request);
  },
);
