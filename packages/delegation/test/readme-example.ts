import {
  checkAudience,
  checkTimes,
  type DelegatedChain,
  issuerAsserted,
  mintDelegation,
  readClaims,
  scopeCovers,
  type SigningKey,
} from '../src/index.js';

const api = 'https://api.acme.dev';

/** At the issuer: user_123 lets an agent draft pull requests for five minutes. */
export function delegate(issuerKey: SigningKey, agentKeyThumbprint: string, now: number): Promise<string> {
  return mintDelegation({
    issuer: 'https://id.acme.dev',
    key: issuerKey,
    keyId: 'issuer-1',
    user: 'user_123',
    agent: 'agent-code-reviewer-01',
    agentKeyThumbprint, // RFC 7638; nobody else can use the delegation
    scope: 'repo:read pr:write:draft',
    audience: api,
    lifetimeSeconds: 300,
    now,
  });
}

/** At the API: the payload of a token whose signature has verified, presented with a request that the key signed. */
export function accept(payload: unknown, keyId: string, now: number): DelegatedChain | { ok: false; code: string } {
  const read = readClaims(payload);
  if (!read.ok) return read;
  const problem =
    checkTimes(read.claims, { now, clockSkewSeconds: 5, maxLifetimeSeconds: 3600 }) ??
    checkAudience(read.claims, [api]);
  if (problem) return problem;
  return issuerAsserted({
    claims: read.claims,
    agent: { id: 'agent-code-reviewer-01', keyId, capabilities: ['repo', 'pr:write'] },
  });
}

/** Whether it is enough: `pr:write:draft` is not enough for `pr:write`. */
export const mayWrite = (acting: DelegatedChain): boolean => scopeCovers(acting.effectiveScope, 'pr:write');
