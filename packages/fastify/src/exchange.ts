import type { Caller, Subject } from '@countersign/core';
import { actingUserOf, admissionOf, callerOf, keepRefusal, type Respond, sendRefusal } from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { FastifyReply } from 'fastify';

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

/** The requests whose answer has begun, with the refusal if it is ours. Fastify shows no answer before its hooks are through. */
const answering = new WeakMap<ServedRequest['raw'], Parameters<Respond>[0] | undefined>();

/** The onSend hook that notes the answers of the application. */
export function noteAnswer({ raw }: ServedRequest, _reply: unknown, _payload: unknown, done: () => void): void {
  if (!answering.has(raw)) answering.set(raw, undefined);
  done();
}

/**
 * Responds through Fastify, so that its hooks and logs see the refusal, and lets it take no other answer from then on: an
 * onSend hook may be at work for long. As bytes: Fastify adds a charset to JSON text.
 */
export function respondThrough(reply: FastifyReply): Respond {
  return (refused) => {
    // An open WebSocket takes no answer of HTTP.
    const isSocket = reply.sent && 'upgrade' in reply.request.raw && reply.request.raw.upgrade === true;
    if (isSocket || answering.has(reply.request.raw)) return;
    // Taken from Fastify, or without an agentAuth, which would answer if a hook fails.
    if (reply.sent || !('caller' in reply.request)) return sendRefusal(reply.hijack().raw, refused);
    answering.set(reply.request.raw, refused);
    keepRefusal(reply.raw, refused.status, reply);
    reply.headers(refused.headers).send(Buffer.from(refused.body)).hijack();
  };
}

/** Records an error. Where a hook has failed at a refusal, it goes out without the hooks of the application. */
export async function noteError({ raw }: ServedRequest, reply: FastifyReply, error: Error): Promise<void> {
  admissionOf(raw as IncomingMessage)?.outcome?.threw(error);
  const refused = answering.get(raw);
  if (refused !== undefined) sendRefusal(reply.raw, refused);
  else answering.delete(raw);
}
