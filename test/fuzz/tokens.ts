import { linkOf } from '../support/links.js';
import { type Claims, rawToken, signedBy } from '../support/tokens.js';
import { type FuzzAgent, issuer, origin, scopes, userId } from './world.js';

/** Seconds for which tokens are reused, because signing is the main cost of a case. */
const SHARED_SECONDS = 60;
const made = new Map<string, string>();

/** A token of the user for an agent, bound to the agent's key if `bound`. */
export function tokenFor(agent: FuzzAgent, now: number, bound = false): string {
  return shared(`token ${agent.id} ${bound}`, now, (iat) =>
    issued({ ...claimsFor(agent, iat), ...(bound ? { cnf: { jkt: agent.key.thumbprint } } : {}) }),
  );
}

export function claimsFor(agent: FuzzAgent, iat: number): Claims {
  return {
    iss: issuer.issuer,
    sub: userId,
    aud: origin,
    act: { sub: agent.id },
    scope: scopes.join(' '),
    iat,
    exp: iat + 600,
    jti: `token-${agent.id}-${iat}`,
    client_id: 'fuzz',
  };
}

/** A token with any claims, signed by the issuer. */
export function issued(claims: Claims, header: Claims = {}): string {
  const head = { typ: 'at+jwt', alg: issuer.algorithm, kid: issuer.kid, ...header };
  return rawToken(JSON.stringify(head), JSON.stringify(claims), signedBy(issuer));
}

/** A link from one agent to another; `parent` is the delegated token. */
export function linkBetween(from: FuzzAgent, to: FuzzAgent, now: number, parent?: string): string {
  return shared(`link ${from.id} ${to.id} ${parent ?? ''}`, now, (iat) =>
    linkOf(from, to.id, { audience: origin, parent, claims: linkClaims(from, to, iat) }),
  );
}

export function linkClaims(from: FuzzAgent, to: FuzzAgent, iat: number): Claims {
  return { scope: scopes[0], iat, exp: iat + 500, jti: `link-${from.id}-${to.id}-${iat}` };
}

/** The start of the period that shares its tokens. */
export function sharedSince(now: number): number {
  return Math.floor(now / SHARED_SECONDS) * SHARED_SECONDS;
}

function shared(name: string, now: number, make: (iat: number) => string): string {
  const iat = sharedSince(now);
  const key = `${iat} ${name}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  if (made.size > 1000) made.clear();
  const token = make(iat);
  made.set(key, token);
  return token;
}
