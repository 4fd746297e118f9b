import { currentRoles, mayAct, type RegisteredAgent, type RegisteredKey } from './agent.js';

/** A JWK Set that guards follow with `agentsFromJwks`: each key says whose it is. */
export interface AgentJwkSet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/**
 * The published registry. Agents that may not act now are in it as `suspended`: a name that is missing could be used by
 * another issuer that vouches for a key of its own. A key carries its validity, so that it ends on time in every guard.
 */
export function agentJwkSet(agents: readonly RegisteredAgent[], now: number): AgentJwkSet {
  return {
    keys: agents.flatMap((agent) =>
      publishedKeys(agent, now).map((key) => ({
        ...key.jwk,
        kid: key.thumbprint,
        use: 'sig',
        ...(key.notBefore !== undefined && { nbf: key.notBefore }),
        ...(key.expiresAt !== undefined && { exp: key.expiresAt }),
        agent_id: agent.id,
        capabilities: agent.capabilities,
        roles: currentRoles(agent, now),
        ...(agent.owner !== undefined && { owner: agent.owner }),
        status: mayAct(agent, now) ? 'active' : 'suspended',
      })),
    ),
  };
}

/** The keys that count now or later; or else the last one, which keeps the name taken. */
function publishedKeys({ keys }: RegisteredAgent, now: number): readonly RegisteredKey[] {
  const usable = keys.filter(({ expiresAt }) => expiresAt === undefined || now < expiresAt);
  return usable.length > 0 ? usable : keys.slice(-1);
}

/** The keys of agents that may act now, for the HTTP Message Signatures Directory of Web Bot Auth. */
export function signatureDirectory(agents: readonly RegisteredAgent[], now: number): AgentJwkSet {
  const acting = agents.filter((agent) => mayAct(agent, now));
  return {
    keys: acting.flatMap(({ keys }) =>
      keys
        .filter(({ expiresAt }) => expiresAt === undefined || now < expiresAt)
        .map(({ jwk, thumbprint, notBefore, expiresAt }) => ({
          ...jwk,
          kid: thumbprint,
          use: 'sig',
          ...(notBefore !== undefined && { nbf: notBefore }),
          ...(expiresAt !== undefined && { exp: expiresAt }),
        })),
    ),
  };
}
