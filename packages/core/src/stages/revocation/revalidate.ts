import { andThen, type Awaitable } from '@countersign/common';
import type { Chain, Hop } from '@countersign/delegation';
import type { Agent, AgentDirectory } from '../../keys/directory.js';
import { findKeyHolder, type KeyHolder, statusOf } from '../possession/key-holder.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { VerifiedToken } from '../token/token-verifier.js';
import type { Revalidate, RevocationChecks } from './check-revocations.js';
import { delegatorRefusal } from '../chain/links.js';
import { meantIn } from '../chain/sessions.js';

interface RevalidationParts {
  readonly agents: AgentDirectory;
  readonly revocations: RevocationChecks;
  readonly clock: () => number;
  readonly clockSkewSeconds: number;
}

/** What was verified when the request came. */
export interface VerifiedRequest {
  readonly chain: Chain;
  /** Whose keys signed: the links, in order, and at the end the request. */
  readonly signers: readonly KeyHolder[];
  /** The token that the chain begins with. */
  readonly token: VerifiedToken | undefined;
  /** Unix seconds when the directory was asked about everybody in the chain. Undefined: it was not asked. */
  readonly askedAt: number | undefined;
}

/** Prepares the check for a verified request. */
export type Revalidation = (verified: VerifiedRequest) => Revalidate;

/** How long the answers of remote directories count for the same request. */
const goodForSeconds = 1;

/**
 * Checks whether what a request was verified by still counts: expiry, keys and agents, revocations. A body may take its
 * time, and a handler may ask for permission late: a right that has expired by then must not act on.
 */
export function createRevalidation(parts: RevalidationParts): Revalidation {
  const { agents, clock, clockSkewSeconds } = parts;
  return ({ chain, signers, token, askedAt: askedFirst }) => {
    const revocations = parts.revocations.ofChain(chain, token);
    let askedAt = askedFirst;
    function signersNow(): Awaitable<Refusal | undefined> {
      const now = clock() / 1000;
      const ended = expired(chain, now - clockSkewSeconds);
      if (ended !== undefined) return ended;
      const isFresh = askedAt !== undefined && now >= askedAt && now < askedAt + goodForSeconds;
      return isFresh ? undefined : askSigners(now);
    }
    async function askSigners(now: number): Promise<Refusal | undefined> {
      const changed = (await signersProblem(signers, { agents, token, now })) ?? (await historyProblem(chain, agents));
      if (changed === undefined) askedAt = now;
      return changed;
    }
    return () => andThen(signersNow(), (problem) => problem ?? revocations());
  };
}

function expired(chain: Chain, now: number): Refusal | undefined {
  const ended = chain.find(({ expiresAt }) => expiresAt !== undefined && now >= expiresAt);
  if (ended === undefined) return undefined;
  return refusal(ended.issuer === undefined ? 'delegation_expired' : 'token_expired', 'it ended during the request');
}

interface SignerParts extends Pick<VerifiedRequest, 'token'> {
  readonly agents: AgentDirectory;
  readonly now: number;
}

async function signersProblem(signers: readonly KeyHolder[], parts: SignerParts): Promise<Refusal | undefined> {
  for (const [index, signer] of signers.entries()) {
    const problem = await signerProblem(signer, parts);
    if (problem !== undefined) return index === signers.length - 1 ? problem : delegatorRefusal(problem);
  }
  return undefined;
}

async function signerProblem(signer: KeyHolder, { agents, token, now }: SignerParts): Promise<Refusal | undefined> {
  const { thumbprint, publicKey, vouchedBy } = signer;
  const vouching = vouchedBy === 'issuer' && token !== undefined ? ({ ok: true, token } as const) : undefined;
  const parts = { agents, token: vouching, now, presentedKey: publicKey };
  const holder = await (signer.again?.(now) ?? findKeyHolder(thumbprint, parts));
  if ('code' in holder) return holder;
  if (holder.agent.id !== signer.agent.id) return refusal('key_unknown', 'the key changed hands');
  if (signer.nameOnly === true || keepsRights(signer.agent, holder.agent)) return undefined;
  return refusal('key_not_valid', 'its agent has other rights now');
}

/** A new role or owner may be one that policy forbids. A new capability does not count for what was verified before. */
function keepsRights(verified: Agent, { owner, roles, capabilities }: Agent): boolean {
  return (
    verified.owner === owner &&
    areIn(verified.capabilities, capabilities) &&
    areIn(verified.roles, roles) &&
    areIn(roles, verified.roles)
  );
}

function areIn(items: readonly string[], others: readonly string[]): boolean {
  const known = new Set(others);
  return items.every((item) => known.has(item));
}

/** Agents that an issuer or the application only names have no key here, but may be registered. */
async function historyProblem(chain: Chain, agents: AgentDirectory): Promise<Refusal | undefined> {
  const named = chain.filter(isNamedAgent);
  const actor = chain.at(-1);
  const { subject, between } = meantIn(chain);
  const names = [...subject, ...between.values(), ...named.map(({ id }) => id)];
  const statuses = await Promise.all(names.map((name) => statusOf(agents, name)));
  if (statuses.at(-1) === 'suspended' && named.at(-1) === actor) return refusal('agent_suspended', actor?.id);
  if (statuses.includes('suspended')) return refusal('delegation_revoked', 'a prior actor is suspended');
  return statuses.includes('unavailable') ? refusal('keys_unavailable') : undefined;
}

function isNamedAgent({ type, keyId }: Hop): boolean {
  return type === 'agent' && keyId === undefined;
}
