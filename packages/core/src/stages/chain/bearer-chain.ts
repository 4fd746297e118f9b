import { type ActingAgent, delegatedChain, type DelegationClaims } from '@countersign/delegation';
import { statusOf, stoppedNamesake } from '../possession/key-holder.js';
import type { VerifiedToken } from '../token/token-verifier.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import { agentsMeant, type ChainParts, refusalOf, sessionOf, type VerifiedChain } from './verify-chain.js';

/**
 * Who calls with a token alone: its client, on behalf of its subject. Nothing proves that the sender is this client, so
 * the token must not name an agent that has to prove it: none that a key is bound to, no actor, and none that is
 * registered here. Never rejects.
 */
export async function bearerChain(
  verified: VerifiedToken,
  { agents, maxDelegationDepth, scopeMatch }: ChainParts,
): Promise<VerifiedChain | Refusal> {
  const { claims, client: id, hash } = verified;
  const { actor, confirmation } = claims;
  if (confirmation !== undefined) return refusal('token_not_bound_to_agent', 'it is bound to a key, without its proof');
  if (actor !== undefined) return refusal('token_not_bound_to_agent', 'its actor must prove its key');
  if (id === undefined) return refusal('token_delegation_invalid', 'it names no client, or one of another issuer');
  const status = await statusOf(agents, id);
  if (status === 'unavailable') return refusal('keys_unavailable');
  if (status !== 'unknown') return refusal('token_not_bound_to_agent', `${id} is registered here, so it must sign`);
  const stopped = await stoppedNamesake(agents, id, verified.namespace);
  if (stopped !== undefined) return stopped;
  const meant = await agentsMeant(verified, [], agents);
  if ('code' in meant) return meant;

  const client: ActingAgent = { id, capabilities: claims.scope };
  const token = id === claims.subject ? claims : actingFor(claims, id);
  const delegated = delegatedChain({
    root: { token, tokenHash: hash },
    links: [],
    actor: client,
    maxDepth: maxDelegationDepth,
    scopeMatch,
  });
  if (!delegated.ok) return refusalOf(delegated);
  const agent = { id, capabilities: claims.scope, roles: [], status: 'active' } as const;
  return { session: sessionOf({ agent }, delegated, meant), signers: [] };
}

function actingFor(claims: DelegationClaims, client: string): DelegationClaims {
  return { ...claims, actor: { subject: client } };
}
