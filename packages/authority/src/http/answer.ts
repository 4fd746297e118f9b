import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonObject, type JsonObject, parseStrictJson } from '@countersign/common';
import { errors } from 'oidc-provider';
import { AuthorityError, type AuthorityErrorCode } from '../authority-error.js';
import { readBody } from './body.js';

/** What a handler answers. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** JSON, or text with its content type in the headers. */
  readonly body?: object | string;
}

/** A request that the client got wrong. It is answered as JSON with `error` and `error_description`. */
export class BadRequest extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const maxBodyBytes = 65_536;

/** The JSON object in the body. @throws BadRequest */
export async function readJson(request: IncomingMessage & { readonly body?: unknown }): Promise<JsonObject> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(?:;|$)/i.test(type))
    throw new BadRequest(415, 'invalid_request', 'send application/json');
  const body = await readBody(request, maxBodyBytes);
  if (body === undefined) throw new BadRequest(413, 'invalid_request', `a body has at most ${maxBodyBytes} bytes`);
  if (!(body instanceof Uint8Array)) return body;
  const read = parseStrictJson(body);
  if (!read.ok || !isJsonObject(read.value))
    throw new BadRequest(400, 'invalid_request', 'the body must be a JSON object');
  return read.value;
}

/** A segment of a path. @throws BadRequest */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new BadRequest(400, 'invalid_request', 'the path is malformed');
  }
}

export function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

const statusOf: Readonly<Record<AuthorityErrorCode, number>> = {
  agent_invalid: 400,
  agent_unknown: 404,
  agent_exists: 409,
  key_taken: 409,
  keys_full: 429,
  status_conflict: 409,
  invitation_invalid: 401,
  challenge_taken: 409,
  approval_invalid: 400,
  approval_unknown: 404,
  approval_conflict: 409,
  approval_forbidden: 403,
  approvals_full: 429,
};

/** The answer to an error. Undefined: it is ours, so nothing is said about it. */
export function answerTo(error: unknown): Answer | undefined {
  if (error instanceof BadRequest) {
    return { status: error.status, body: { error: error.code, error_description: error.message } };
  }
  if (error instanceof AuthorityError) {
    return { status: statusOf[error.code], body: { error: error.code, error_description: error.message } };
  }
  // From the parts that our routes share with the grants of the library.
  if (error instanceof errors.OIDCProviderError && error.expose) {
    return { status: error.statusCode, body: { error: error.error, error_description: error.error_description } };
  }
  return undefined;
}
