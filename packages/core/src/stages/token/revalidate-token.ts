import type { Chain, Hop } from '@countersign/delegation';
import type { AgentDirectory } from '../../keys/directory.js';
import { findKeyHolder, type KeyHolder, statusOf } from '../possession/key-holder.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { Revalidate } from '../revocation/revalidate.js';
import { delegatorRefusal } from '../chain/links.js';

interface LastingParts {
  readonly agents: AgentDirectory;
  readonly clock: () => number;
  readonly clockSkewSeconds: number;
}

/** What was verified when the request came. */
export interface Verified {
  readonly chain: Chain;
  /** Whose keys signed: the links, in order, and at the end the request. */
  readonly signers: readonly KeyHolder[];
  /** Unix seconds. */
  readonly verifiedAt: number;
}

/** How long the answer of directories that may be far away counts for the same request. */
const goodForSeconds = 1;

/**
 * Says whether what a chain was verified by still counts. A body may take its time, and so may a handler that asks leave
 * late: a right that is over by then, and an agent that was suspended meanwhile, must not act on.
 */
export function createTokenRevalidation({
  agents,
  clock,
  clockSkewSeconds,
}: LastingParts): (verified: Verified) => Revalidate {
  return ({ chain, signers, verifiedAt }) => {
    let askedAt = verifiedAt;
    return async () => {
      const now = clock() / 1000;
      const over = expired(chain, now - clockSkewSeconds);
      if (over !== undefined || (now >= askedAt && now < askedAt + goodForSeconds)) return over;
      const changed = (await signersProblem(signers, agents, now)) ?? (await historyProblem(chain, agents));
      if (changed === undefined) askedAt = now;
      return changed;
    };
  };
}

function expired(chain: Chain, now: number): Refusal | undefined {
  const over = chain.find(({ expiresAt }) => expiresAt !== undefined && now >= expiresAt);
  if (over === undefined) return undefined;
  return refusal(over.issuer === undefined ? 'delegation_expired' : 'token_expired', 'it ended during the request');
}

async function signersProblem(
  signers: readonly KeyHolder[],
  agents: AgentDirectory,
  now: number,
): Promise<Refusal | undefined> {
  for (const [index, signer] of signers.entries()) {
    // The word of an issuer lasts as long as its token, which `expired` judges.
    if (signer.vouchedBy === 'issuer') continue;
    const problem = await signerProblem(signer, agents, now);
    if (problem !== undefined) return index === signers.length - 1 ? problem : delegatorRefusal(problem);
  }
  return undefined;
}

async function signerProblem(signer: KeyHolder, agents: AgentDirectory, now: number): Promise<Refusal | undefined> {
  const holder = await findKeyHolder(signer.thumbprint, { agents, token: () => Promise.resolve(undefined), now });
  if ('code' in holder) return holder;
  return holder.agent.id === signer.agent.id ? undefined : refusal('key_unknown', 'the key changed hands');
}

/** Agents that an issuer only names have no key here, but may be registered. */
async function historyProblem(chain: Chain, agents: AgentDirectory): Promise<Refusal | undefined> {
  const named = chain.filter(isNamedAgent);
  const statuses = await Promise.all(named.map(({ id }) => statusOf(agents, id)));
  if (statuses.includes('suspended')) return refusal('delegation_revoked', 'a prior actor is suspended');
  return statuses.includes('unavailable') ? refusal('keys_unavailable') : undefined;
}

function isNamedAgent({ type, keyId }: Hop): boolean {
  return type === 'agent' && keyId === undefined;
}
