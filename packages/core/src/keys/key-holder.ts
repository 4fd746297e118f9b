import type { KeyObject } from 'node:crypto';
import type { Confirmation } from '@countersign/delegation';
import { type Refusal, refusal } from '../refusal.js';
import type { TokenResult } from '../token/token-verifier.js';
import type { Agent, AgentDirectory, AgentStatus, KeyLookup } from './directory.js';
import { readPublicKey } from './ed25519-key.js';
import { textOf } from '../text-of.js';

/** The agent to whom the key of a signature belongs. */
export interface KeyHolder {
  readonly agent: Agent;
  readonly thumbprint: string;
  readonly publicKey: KeyObject;
  /** `directory`: registered here. `issuer`: a trusted issuer vouches for the key in its token (`cnf.jwk`). */
  readonly vouchedBy: 'directory' | 'issuer';
}

interface KeyHolderParts {
  readonly agents: AgentDirectory;
  /** Verifies the bearer token of this request, if it has one. */
  readonly token: () => Promise<TokenResult | undefined>;
  readonly now: number;
  /** The key itself, where the request proved that its sender holds it (RFC 9449); a token then need not carry it. */
  readonly presentedKey?: KeyObject;
}

/** Finds whose key this is: in the directory, else in a token whose issuer vouches for it. */
export async function findKeyHolder(keyId: string, parts: KeyHolderParts): Promise<KeyHolder | Refusal> {
  const lookup = await lookUp(parts.agents, keyId);
  if (lookup.kind === 'unavailable') return refusal('keys_unavailable', lookup.cause);
  if (lookup.kind === 'unknown') return vouchedHolder(keyId, parts);

  const { agent, key } = lookup;
  if (agent.status !== 'active') return refusal('agent_suspended', agent.id);
  if (key.notBefore !== undefined && parts.now < key.notBefore) return refusal('key_not_valid', 'not valid yet');
  if (key.expires !== undefined && parts.now >= key.expires) return refusal('key_not_valid', 'expired');
  return { agent, thumbprint: key.thumbprint, publicKey: key.publicKey, vouchedBy: 'directory' };
}

async function vouchedHolder(
  keyId: string,
  { agents, token, presentedKey }: KeyHolderParts,
): Promise<KeyHolder | Refusal> {
  const verified = await token();
  if (verified === undefined) return refusal('key_unknown');
  if (!verified.ok) return refusal(verified.code, verified.detail);
  const { claims, namespace } = verified.token;
  const { confirmation } = claims;
  const held = presentedKey !== undefined || confirmation?.jwk !== undefined;
  if (!held || confirmation?.jkt !== keyId) return refusal('key_unknown');
  // Without an actor the token must be the client's own (RFC 9068 §2.2): a user with a key is not an agent.
  if (claims.actor === undefined && namespace + claims.clientId !== claims.subject) {
    return refusal('token_delegation_invalid', 'it names no actor, and its subject is not its client');
  }
  const publicKey = presentedKey ?? vouchedKey(confirmation);
  if (publicKey === undefined) return refusal('key_unknown');

  // An issuer names agents within its own namespace, and can never speak for one that is registered here.
  const id = claims.actor === undefined ? claims.subject : namespace + claims.actor.subject;
  const status = await statusOf(agents, id);
  if (status === 'unavailable') return refusal('keys_unavailable');
  if (status !== 'unknown') return refusal('token_not_bound_to_agent', `${id} is registered here with other keys`);
  const agent: Agent = { id, capabilities: claims.scope, roles: [], status: 'active' };
  return { agent, thumbprint: keyId, publicKey, vouchedBy: 'issuer' };
}

function vouchedKey({ jwk }: Confirmation): KeyObject | undefined {
  const key = jwk === undefined ? undefined : readPublicKey(jwk);
  return key?.ok === true ? key.publicKey : undefined;
}

/** A directory that fails is our outage, whatever the way it fails. */
async function lookUp(agents: AgentDirectory, keyId: string): Promise<KeyLookup> {
  try {
    return await agents.findByThumbprint(keyId);
  } catch (error) {
    return { kind: 'unavailable', cause: textOf(error) };
  }
}

const statuses: readonly AgentStatus[] = ['active', 'suspended', 'unknown'];

/** What the directory says of a name; what is no answer is an outage. Never rejects. */
export async function statusOf(agents: AgentDirectory, id: string): Promise<AgentStatus> {
  try {
    const status = await agents.statusOf(id);
    return statuses.includes(status) ? status : 'unavailable';
  } catch {
    return 'unavailable';
  }
}
