import { admissionOf, type Caller, type Respond } from '@countersign/core';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PermitRequest } from './route-permit.js';

/** What every FastifyRequest is, whatever its generics. */
export interface ServedRequest {
  readonly raw: IncomingMessage | Http2ServerRequest;
}

/** One request being served, as Fastify shows it. */
export interface Exchange {
  readonly request: PermitRequest;
  readonly reply: FastifyReply;
}

const exchanges = new WeakMap<object, Exchange>();

export function rememberExchange(request: FastifyRequest, reply: FastifyReply): void {
  exchanges.set(request.raw, { request: request as PermitRequest, reply });
}

/** The exchange of a raw request that `agentAuth` saw. */
export function exchangeOf(raw: unknown): Exchange | undefined {
  return typeof raw === 'object' && raw !== null ? exchanges.get(raw) : undefined;
}

/** Who calls; undefined when no guard let this request in, or when it is not an agent's. */
export function getCaller({ raw }: ServedRequest): Caller | undefined {
  return admissionOf(raw as IncomingMessage)?.caller;
}

/** Answers through Fastify, so that its hooks and logs see the refusal. As bytes: to a JSON text it would add a charset. */
export function sendThrough(reply: FastifyReply): Respond {
  return ({ status, headers, body }) => void reply.code(status).headers(headers).send(Buffer.from(body));
}
