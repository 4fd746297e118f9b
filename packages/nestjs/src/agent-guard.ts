import { closesUnmapped, isPermit, refuseAgent, refuseUnguarded, sendRefusal } from '@countersign/core/adapter';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { permitOf } from './permit.js';
import { nodeRequest, requestAmong } from './request.js';

/** A request as a platform routes it: Express, or Fastify. */
interface RoutedRequest {
  readonly url?: string | undefined;
  readonly baseUrl?: string;
  readonly route?: { readonly path: unknown };
  readonly routeOptions?: { readonly url?: string };
}

/**
 * The guard of Nest that runs before all others. Not in the layer of the platform, because one path may have several handlers,
 * for versions and hosts, of which Nest has chosen one by now.
 */
export class AgentGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const mayRun = context.getType<string>() === 'http' ? await mayHandle(context) : await mayRunElsewhere(context);
    return mayRun || (await neverSettling());
  }
}

/**
 * Never settles: the refusal has been sent, and nothing may run any more. With false, or an error, an exception filter of the
 * application would answer a second time. A promise for each request: one for all would hold every request for ever.
 */
function neverSettling(): Promise<never> {
  return new Promise(() => {});
}

async function mayHandle(context: ExecutionContext): Promise<boolean> {
  const http = context.switchToHttp();
  const request = http.getRequest<RoutedRequest>();
  const node = nodeRequest(request);
  const respond = (refused: Parameters<typeof sendRefusal>[1]) =>
    sendRefusal(nodeResponse(http.getResponse()), refused);
  const check = permitOf(context);
  if (check !== undefined) return await check(node, request, respond);
  // Nest itself would run the handler if `agentAuth` has not seen the request.
  if (refuseUnguarded(node, respond)) return false;
  // A method with the `@Permit` of an adapter enforces it by itself.
  if (isPermit(context.getHandler())) return true;
  return await mayRunUnmapped(node, request, routeOf(node, request));
}

/** Of GraphQL and the like. A message of a microservice or a WebSocket has no admitted request. */
async function mayRunElsewhere(context: ExecutionContext): Promise<boolean> {
  const node = requestAmong(context.getArgs());
  if (node === undefined) return true;
  return await mayRunUnmapped(node, node, `${context.getClass().name}.${context.getHandler().name}`);
}

async function mayRunUnmapped(node: IncomingMessage, request: RoutedRequest, route: string): Promise<boolean> {
  const { baseUrl = '', url = '' } = request;
  const path = `${baseUrl}${url.replace(/^\w+:\/\/[^/?]*/, '')}`;
  return !closesUnmapped(node, { method: node.method, path }) || !(await refuseAgent(node, route));
}

function routeOf({ method }: IncomingMessage, { baseUrl = '', route, routeOptions }: RoutedRequest): string {
  return `${method} ${routeOptions?.url ?? `${baseUrl}${String(route?.path)}`}`;
}

function nodeResponse(response: object): ServerResponse {
  const { raw = response } = response as { readonly raw?: object };
  return raw as ServerResponse;
}
