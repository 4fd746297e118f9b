import { type Caller, type Subject } from '@countersign/core';
import { actingUserOf, admissionOf, type Respond } from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { FastifyReply } from 'fastify';

/** What every FastifyRequest is, whatever its generics. */
export interface ServedRequest {
  readonly raw: IncomingMessage | Http2ServerRequest;
}

/** Who calls; undefined when no guard let this request in, or when it is not an agent's. */
export function getCaller({ raw }: ServedRequest): Caller | undefined {
  return admissionOf(raw as IncomingMessage)?.caller;
}

/**
 * The user on whose behalf the agent acts: only once the `permit` of this request has allowed it, and only where there is
 * one. Undefined for people, for an agent that acts for itself, and in hooks before `preHandler`.
 */
export function actingUser({ raw }: ServedRequest): Subject | undefined {
  return actingUserOf(raw as IncomingMessage);
}

/** Answers through Fastify, so that its hooks and logs see the refusal. As bytes: to a JSON text it would add a charset. */
export function sendThrough(reply: FastifyReply): Respond {
  return ({ status, headers, body }) => void reply.code(status).headers(headers).send(Buffer.from(body));
}

const replies = new WeakMap<object, FastifyReply>();

export function rememberReply(reply: FastifyReply): void {
  replies.set(reply.request.raw, reply);
}

/** The reply to a request that `agentAuth` saw; undefined for anything else. */
export function replyTo(request: unknown): FastifyReply | undefined {
  const { raw } = (request ?? {}) as Partial<ServedRequest>;
  return raw && replies.get(raw);
}
