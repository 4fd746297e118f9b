import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BadRequest } from './answer.js';
import { tokenDigest } from '../storage/token-digest.js';

/** The bearer token of a request (RFC 6750 §2.1). @throws BadRequest 401 */
export function bearerOf(request: IncomingMessage): string {
  const [, token] = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw unauthorized();
  return token;
}

export function unauthorized(): BadRequest {
  return new BadRequest(401, 'invalid_token', 'a valid bearer token is needed');
}

/** Whether a token is one of the accepted ones. Takes the same time for all of them. */
export function isAmong(token: string, accepted: readonly string[]): boolean {
  const digest = tokenDigest(token);
  return accepted.filter((one) => timingSafeEqual(tokenDigest(one), digest)).length > 0;
}
