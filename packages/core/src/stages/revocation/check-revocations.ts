import type { Chain } from '@countersign/delegation';
import { andThen, answerInTime, answerOr, type Awaitable } from '@countersign/common';
import { outage, type Refusal, refusal } from '../../model/refusal.js';
import type { VerifiedToken } from '../token/token-verifier.js';
import { namesInChain } from './names-in-chain.js';
import { kindAndId, type Revocable, type RevocationSource } from './revocable.js';
import type { RevocationSet } from './revocation-set.js';
import type { StatusLists } from './status-lists.js';

/** Checks again what a verified request rests on: a refusal if it counts no more. Never rejects. */
export type Revalidate = () => Awaitable<Refusal | undefined>;

/** Prepares the check for a verified chain and the token that it begins with. */
export type RevocationCheck = (chain: Chain, token: VerifiedToken | undefined) => Revalidate;

interface RevocationParts {
  /** What this process itself revokes. */
  readonly own: RevocationSet;
  readonly sources: readonly RevocationSource[];
  readonly lookupTimeoutSeconds: number;
  readonly statusLists: StatusLists;
  readonly clock: () => number;
}

/** How long the answers of remote sources count for the same request. */
const goodForSeconds = 1;

/** Checks that nothing in a verified chain, nor the token that it begins with, is revoked. */
export function createRevocationCheck({
  own,
  sources,
  lookupTimeoutSeconds,
  statusLists,
  clock,
}: RevocationParts): RevocationCheck {
  return (chain, token) => {
    let known: ReadonlyMap<string, Revocable> | undefined;
    const named = (): ReadonlyMap<string, Revocable> => (known ??= namesInChain(chain, token?.namespace));
    let askedAt: number | undefined;
    return () => {
      const now = clock() / 1000;
      const revoked = own.isEmpty ? undefined : own.findByKey(named(), now);
      if (revoked !== undefined) return refusalFor(revoked, chain);
      if (askedAt !== undefined && now >= askedAt && now < askedAt + goodForSeconds) return undefined;
      const bySource = sources.length === 0 ? undefined : problemBySource([...named().values()], chain);
      // The sources took their time: by an older clock, a list that was just fetched would come from the future.
      const problem = andThen(bySource, (found) => found ?? (token && statusLists.problem(token, clock() / 1000)));
      return andThen(problem, (found) => {
        if (found === undefined) askedAt = now;
        return found;
      });
    };
  };

  async function problemBySource(named: readonly Revocable[], chain: Chain): Promise<Refusal | undefined> {
    for (const source of sources) {
      const answer = () => answerInTime(lookupTimeoutSeconds, () => source.findRevoked(named, clock() / 1000));
      const problem = await problemOf(answer, named, chain);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
}

/** A source that fails, in whatever way, has not said that nothing is revoked. */
function problemOf(
  answer: () => Awaitable<Revocable | undefined>,
  named: readonly Revocable[],
  chain: Chain,
): Awaitable<Refusal | undefined> {
  const judge = (revoked: Revocable | undefined): Refusal | undefined => {
    if (revoked === undefined) return undefined;
    if (named.includes(revoked)) return refusalFor(revoked, chain);
    return refusal('revocations_unavailable', 'a source gave an answer that was not asked for');
  };
  return answerOr(
    () => andThen(answer(), judge),
    (error) => outage('revocations_unavailable', error),
  );
}

/** The actor itself answers to the codes that a directory would give it; who else is revoked, only the log says. */
function refusalFor(revoked: Revocable, chain: Chain): Refusal {
  const actor = chain.at(-1);
  const [kind, id] = kindAndId(revoked);
  const detail = `${kind} ${id} is revoked`;
  if (kind === 'agent' && id === actor?.id) return refusal('agent_suspended', detail);
  if (kind === 'key' && id === actor?.keyId) return refusal('key_not_valid', detail);
  return refusal('delegation_revoked', detail);
}
