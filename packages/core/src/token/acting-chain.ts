import { type Chain, direct, issuerAsserted, type Scope } from '@countersign/delegation';
import type { KeyHolder } from '../keys/key-holder.js';
import { type Refusal, type RefusalCode, refusal } from '../refusal.js';
import type { VerifiedToken } from './token-verifier.js';

/** On whose behalf the holder of the key acts, and what that leaves it. */
export interface ActingChain {
  readonly chain: Chain;
  readonly scope: Scope;
}

/** Binds token, signature and agent together: a token counts only in the hands of the agent and key that it names. */
export function actingChain(holder: KeyHolder, token: VerifiedToken | undefined): ActingChain | Refusal {
  const { agent, thumbprint } = holder;
  const acting = { id: agent.id, keyId: thumbprint, capabilities: agent.capabilities };
  if (token === undefined) {
    const { chain, effectiveScope } = direct(acting);
    return { chain, scope: effectiveScope };
  }
  const claims = holder.vouchedBy === 'issuer' ? inNamespace(token) : token.claims;
  const asserted = issuerAsserted({ claims, agent: acting });
  if (!asserted.ok) return refusal(codeFor[asserted.code], asserted.detail);
  return { chain: asserted.chain, scope: asserted.effectiveScope };
}

/** The actor of a vouching token goes by the name that its issuer's namespace gives it. */
function inNamespace({ claims, namespace }: VerifiedToken): VerifiedToken['claims'] {
  if (claims.actor === undefined) return claims;
  return { ...claims, actor: { ...claims.actor, subject: namespace + claims.actor.subject } };
}

const codeFor = {
  actor_missing: 'token_delegation_invalid',
  actor_mismatch: 'token_not_bound_to_agent',
  confirmation_mismatch: 'token_not_bound_to_agent',
} as const satisfies Record<string, RefusalCode>;
