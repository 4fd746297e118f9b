import { member } from '@countersign/common';
import { AgentError } from '../agent-error.js';
import { type AuthorityAnswer, type AuthorityClient, refusalIn } from './authority-client.js';
import { unavailable } from './send.js';

/** A token, and when it was asked for. */
export interface IssuedToken {
  readonly token: string;
  /** Unix seconds by our clock: from then on it is not used. */
  readonly expiresAt: number;
}

/** Asks an authority for tokens. */
export interface TokenEndpoint {
  /** Rejects with `AgentError` `token_refused` or `authority_unavailable`. */
  request(parameters: Readonly<Record<string, string>>): Promise<IssuedToken>;
}

/** A token is not used in its last seconds: it must still count when the API reads it. */
const marginSeconds = 5;

export function tokenEndpoint(client: AuthorityClient): TokenEndpoint {
  return {
    request: async (parameters) => readToken(client.issuer, await client.post({ name: 'token_endpoint' }, parameters)),
  };
}

function readToken(issuer: string, answer: AuthorityAnswer): IssuedToken {
  const { status, json, asked } = answer;
  const [token, lifetime] = ['access_token', 'expires_in'].map((name) => member(json, name));
  if (status === 200 && typeof token === 'string' && typeof lifetime === 'number' && lifetime > 0) {
    return { token, expiresAt: asked + Math.max(lifetime - marginSeconds, 1) };
  }
  const why = refusalIn(answer);
  if (why === undefined) throw unavailable(issuer, `it answered with ${status}`);
  throw new AgentError('token_refused', `${issuer} gave no token: ${why}.`);
}
