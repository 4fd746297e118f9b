import { createPublicKey, verify } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import { errors } from 'oidc-provider';
import { currentKeys, mayAct, type RegisteredAgent, type RegisteredKey } from '../agents/agent.js';
import type { AgentRegistry } from '../agents/registry.js';

/** The agent that made a request, and the registered key with which it proved that. */
export interface AuthenticatedAgent {
  readonly agent: RegisteredAgent;
  readonly key: RegisteredKey;
}

const longestAssertionSeconds = 300;
const clockSkewSeconds = 5;

/**
 * What the library leaves open of `private_key_jwt` (RFC 7523 §3): one audience, which is this issuer, so that an assertion
 * for another server is never accepted here; and a short life. Runs after the signature was verified.
 *
 * @throws InvalidClientAuth, for the library to answer.
 */
export async function authenticateAgent(
  assertion: string,
  claims: Readonly<Record<string, unknown>>,
  services: { readonly agents: AgentRegistry; readonly issuer: string; readonly now: () => number },
): Promise<AuthenticatedAgent> {
  const { agents, issuer, now } = services;
  const at = now();
  // What is critical changes how an assertion is to be read (RFC 7515 §4.1.11). We know of nothing such.
  if (decodeProtectedHeader(assertion).crit !== undefined) throw refused('an assertion has no critical header');
  if (claims['aud'] !== issuer) throw refused('the aud of an assertion is the issuer, and nothing else');
  if (claims['sub'] !== claims['iss']) throw refused('iss and sub of an assertion are the agent');
  const { exp, iat } = claims;
  if (typeof exp !== 'number' || exp > at + longestAssertionSeconds + clockSkewSeconds) {
    throw refused(`an assertion expires within ${longestAssertionSeconds} s`);
  }
  if (iat !== undefined && !(typeof iat === 'number' && iat <= at + clockSkewSeconds)) {
    throw refused('the iat of an assertion is not in the future');
  }
  const agent = await agents.get(String(claims['sub']));
  if (agent === undefined || !mayAct(agent, at)) throw refused('the agent may not act now');
  const key = signerOf(assertion, currentKeys(agent, at));
  if (key === undefined) throw refused('none of the keys of the agent signed the assertion');
  return { agent, key };
}

/** Which of the keys signed a JWS. The library does not say. */
export function signerOf(token: string, keys: readonly RegisteredKey[]): RegisteredKey | undefined {
  const end = token.lastIndexOf('.');
  const [input, signature] = [Buffer.from(token.slice(0, end)), Buffer.from(token.slice(end + 1), 'base64url')];
  return keys.find(({ jwk }) => verify(null, input, createPublicKey({ key: { ...jwk }, format: 'jwk' }), signature));
}

/** The client of the library that an agent is. It has the keys that count now and no others. */
export function clientOf(
  agent: RegisteredAgent,
  now: number,
  { approvals = false }: { readonly approvals?: boolean } = {},
): Record<string, unknown> | undefined {
  if (!mayAct(agent, now)) return undefined;
  const keys = currentKeys(agent, now).map(({ jwk, thumbprint }) => ({ ...jwk, kid: thumbprint, use: 'sig' }));
  if (keys.length === 0) return undefined;
  const redirects = agent.redirectUris.length > 0;
  const grants = [...agentGrants, ...(approvals ? [backchannel] : [])];
  return {
    client_id: agent.id,
    ...(agent.name !== undefined && { client_name: agent.name }),
    token_endpoint_auth_method: 'private_key_jwt',
    grant_types: redirects ? ['authorization_code', 'refresh_token', ...grants] : grants,
    ...(approvals && { backchannel_token_delivery_mode: 'poll' }),
    response_types: redirects ? ['code'] : [],
    redirect_uris: [...agent.redirectUris],
    jwks: { keys },
  };
}

export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** OpenID Connect CIBA. */
export const backchannel = 'urn:openid:params:grant-type:ciba';
const agentGrants = ['client_credentials', tokenExchange];

function refused(detail: string): Error {
  return new errors.InvalidClientAuth(detail);
}
