import type { Caller, Subject } from '@countersign/core';
import { actingUserOf, callerOf, type Respond, untilAnswered } from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { FastifyReply } from 'fastify';

export { neverSettling } from '@countersign/core/adapter';

/** Every FastifyRequest, with any generics. */
export interface ServedRequest {
  readonly raw: IncomingMessage | Http2ServerRequest;
}

/** The verified caller; undefined if no guard admitted this request, and for people in mixed traffic. */
export function getCaller({ raw }: ServedRequest): Caller | undefined {
  return callerOf(raw as IncomingMessage);
}

/**
 * The user on whose behalf the agent acts, once the `permit` of this request has allowed it. Undefined for people, for an
 * agent that acts for itself, and in hooks before the decision (`preParsing` or `preHandler`).
 */
export function actingUser({ raw }: ServedRequest): Subject | undefined {
  return actingUserOf(raw as IncomingMessage);
}

const refusing = new WeakMap<ServedRequest['raw'], FastifyReply>();

/** Responds through Fastify, so that its hooks and logs see the refusal. As bytes: Fastify adds a charset to JSON text. */
export function respondThrough(reply: FastifyReply): Respond {
  return ({ status, headers, body }) => {
    // The application answers by itself.
    if (reply.sent || reply.raw.headersSent) return;
    refusing.set(reply.request.raw, reply.code(status).headers(headers).send(Buffer.from(body)));
  };
}

/** Resolves once a refused request has its answer, or its client has gone while a hook is still at work on that. */
export async function untilRefused({ raw }: ServedRequest): Promise<void> {
  if (refusing.has(raw)) await untilAnswered(raw as IncomingMessage);
  // Fastify sends what a handler returns, and would answer twice.
  refusing.get(raw)?.hijack();
}
