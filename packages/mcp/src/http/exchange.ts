import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller, Guard } from '@countersign/core';
import type { McpDecisions } from '../decide/decisions.js';
import { errorCodes, type JsonRpcError } from '../decide/json-rpc.js';
import type { ReadRules } from '../decide/rules.js';
import type { RequestId } from '../wire/message.js';
import { openStream, tooManyStreams } from '../decide/open-streams.js';
import { whenClosed } from '../server/node-messages.js';
import type { Seal } from '../decide/seal.js';
import type { Upstream } from './upstream.js';

/** What all requests of one guarded server share. */
export interface HttpParts {
  readonly upstream: Upstream;
  readonly rules: ReadRules;
  readonly seal: Seal;
  readonly ownHeaders: Headers;
  readonly maxMessageBytes: number;
}

/** One request of a verified caller, with its response. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly guard: Guard;
  readonly caller: Caller;
  readonly decisions: McpDecisions;
}

/** Answers with a JSON-RPC error; does nothing once an answer has begun. */
export function answerError(
  { response }: Pick<Exchange, 'response'>,
  status: number,
  { code, message, data }: JsonRpcError,
  { id = null, headers = {} }: { readonly id?: RequestId | null; readonly headers?: Record<string, string> } = {},
): void {
  const error = { code, message, ...(data !== undefined && { data }) };
  answerJson({ response }, status, { jsonrpc: '2.0', id, error }, headers);
}

/** The path of the endpoint, also where a router has cut it. */
export function endpointOf({ originalUrl, url = '' }: IncomingMessage & { readonly originalUrl?: string }): string {
  const [path = ''] = (originalUrl ?? url).split('?');
  return path;
}

/** Servers know events by their id alone, also those of other sessions. */
export function eventPurpose(sessionId: string): string {
  return `event of ${sessionId}`;
}

/** Counts the response as an open stream of its caller. False: there are too many, which was answered. */
export async function holdStream(exchange: Exchange, method: string, id: RequestId | null = null): Promise<boolean> {
  const { guard, caller, response } = exchange;
  const release = await openStream(guard, caller, method);
  if (release === undefined) answerError(exchange, 429, tooManyStreams, { id });
  else whenClosed(response, release);
  return release !== undefined;
}

/** The client then opens a new session. */
export function answerNoSession(exchange: Pick<Exchange, 'response'>): void {
  answerError(exchange, 404, { code: errorCodes.noSession, message: 'Session not found' });
}

/** The server has no such method of HTTP, as one without streams has no GET. */
export function answerNoMethod(exchange: Pick<Exchange, 'response'>): void {
  answerError(exchange, 405, { code: errorCodes.invalidRequest, message: 'Method not allowed' });
}

export function answerJson(
  { response }: Pick<Exchange, 'response'>,
  status: number,
  message: unknown,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(JSON.stringify(message));
}

export function answerBadGateway(exchange: Pick<Exchange, 'response'>, id: RequestId | null = null): void {
  answerError(exchange, 502, { code: errorCodes.internal, message: 'The MCP server gave no answer' }, { id });
}
