import { closesUnmapped, closesUnrouted, isPermit, neverSettling, refuseAgent } from '@countersign/core/adapter';
import { refuseUnguarded, type Respond, responderOf, sendRefusal } from '@countersign/core/adapter';
import { type CanActivate, type ExecutionContext, ForbiddenException } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { missesPermit, permitOf } from './declared-permit.js';
import { isOfSocket, nodeRequest, requestAmong } from './request.js';

/** A request as a platform routes it: Express, or Fastify. */
interface RoutedRequest {
  readonly url?: string | undefined;
  readonly baseUrl?: string;
  readonly route?: { readonly path: unknown };
  readonly routeOptions?: { readonly url?: string };
}

/** Nest makes one for all guards of a handler, and another one if the same request reaches the handler again. */
const decided = new WeakSet<ExecutionContext>();

/**
 * The guard of Nest that runs before all others. Not in the layer of the platform, because one path may have several handlers,
 * for versions and hosts, of which Nest has chosen one by now. `@Permit` puts it on its method as well, so that no method is
 * open where nothing mounted it.
 */
export class AgentGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (decided.has(context)) return true;
    const isHttp = context.getType<string>() === 'http';
    const mayRun = isHttp ? await mayHandle(context) : await mayRunElsewhere(context);
    // With false, or an error, an exception filter of the application would answer a second time.
    if (!mayRun) return await neverSettling();
    decided.add(context);
    return true;
  }
}

async function mayHandle(context: ExecutionContext): Promise<boolean> {
  const http = context.switchToHttp();
  const request = http.getRequest<RoutedRequest>();
  const node = nodeRequest(request);
  const respond = responderFor(node, http.getResponse());
  const check = permitOf(context);
  const handler = context.getHandler();
  if (check !== undefined) return await check(node, request, respond);
  // Nest itself would run the handler if `agentAuth` has not seen the request.
  if (refuseUnguarded(node, respond)) return false;
  // A method with the `@Permit` of an adapter enforces it by itself.
  if (isPermit(handler)) return true;
  const { baseUrl = '', url = '' } = request;
  const path = `${baseUrl}${url.replace(/^\w+:\/\/[^/?]*/, '')}`;
  const isClosed = missesPermit(context) || closesUnmapped(node, { method: node.method, path });
  return !isClosed || !(await refuseAgent(node, routeOf(node, request), respond));
}

/** A message of a microservice or a WebSocket has no admitted request, so it cannot be asked for a permit. */
async function mayRunElsewhere(context: ExecutionContext): Promise<boolean> {
  const node = requestAmong(context.getArgs());
  const check = permitOf(context);
  if (node === undefined) {
    // The context of a resolver is of the application's making, and an agent may have sent the query.
    const isResolver = context.getType<string>() === 'graphql';
    const hasPermit = check !== undefined || missesPermit(context);
    if (hasPermit || (isResolver && !isOfSocket(context.getArgs()))) throw noRequest();
    return true;
  }
  // Whatever was decided about the path says nothing of this resolver. The request is Node's: it has no `params`.
  if (check !== undefined)
    return await afterFirst(node, check, () => check(node, node, responderOf(node) ?? notAdmitted));
  const isClosed = missesPermit(context) || closesUnrouted(node);
  const resolver = `${context.getClass().name}.${context.getHandler().name}`;
  return !isClosed || !(await afterFirst(node, withoutPermit, () => refuseAgent(node, resolver)));
}

/** In place of a permit, for all closed resolvers: they are refused alike. */
const withoutPermit = {};

/** The first question of each permit that a request of GraphQL asks. */
const firstQuestions = new WeakMap<IncomingMessage, Map<object, Promise<unknown>>>();

/**
 * Lets the first question of a permit be answered before the request asks it again: a document may name one field thousands of
 * times, and once the first is refused, the others are refused without a record.
 */
async function afterFirst(node: IncomingMessage, check: object, ask: () => Promise<boolean>): Promise<boolean> {
  const firsts = firstQuestions.get(node) ?? new Map<object, Promise<unknown>>();
  firstQuestions.set(node, firsts);
  const first = firsts.get(check);
  if (first !== undefined) {
    // It throws its own error where it was asked.
    await first.catch(() => {});
    return await ask();
  }
  const answer = ask();
  firsts.set(check, answer);
  return await answer;
}

function notAdmitted(): never {
  throw noRequest();
}

/** Nest sends it to the client, so it names nothing of the application. */
function noRequest(): ForbiddenException {
  return new ForbiddenException("Countersign: the context of this call has no HTTP request, as 'req'.");
}

function routeOf({ method }: IncomingMessage, { baseUrl = '', route, routeOptions }: RoutedRequest): string {
  return `${method} ${routeOptions?.url ?? `${baseUrl}${String(route?.path)}`}`;
}

/**
 * Answers through Fastify, whose hooks see the refusal. On Express not by the last `agentAuth`: another application may
 * have had the request since, and handed it back.
 */
function responderFor(node: IncomingMessage, response: ServerResponse | { readonly raw: ServerResponse }): Respond {
  if (!('raw' in response)) return (refused) => sendRefusal(response, refused);
  return responderOf(node) ?? ((refused) => sendRefusal(response.raw, refused));
}
