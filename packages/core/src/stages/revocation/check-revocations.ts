import type { ApprovalClaims } from '@countersign/approval';
import type { Chain } from '@countersign/delegation';
import { andThen, answerInTime, answerOr, type Awaitable, containRejections } from '@countersign/common';
import { outage, type Refusal, refusal } from '../../model/refusal.js';
import type { VerifiedToken } from '../token/token-verifier.js';
import { namesInApproval, namesInChain } from './names-in-chain.js';
import { kindAndId, type Revocable, type RevocationSource } from './revocable.js';
import type { RevocationSet } from './revocation-set.js';
import type { StatusLists } from './status-lists.js';

/** Checks again what a verified request rests on: a refusal if it counts no more. Never rejects. */
export type Revalidate = () => Awaitable<Refusal | undefined>;

/** Prepares checks that nothing is revoked on which something rests. */
export interface RevocationChecks {
  /** For a verified chain and the token that it begins with. */
  ofChain(chain: Chain, token: VerifiedToken | undefined): Revalidate;
  /** For an approval whose signature has verified. */
  ofApproval(claims: ApprovalClaims, namespace: string): Revalidate;
}

interface CheckedNames {
  /** By `revocationKey`. */
  readonly named: () => ReadonlyMap<string, Revocable>;
  readonly refusalFor: (revoked: Revocable) => Refusal;
  readonly token: VerifiedToken | undefined;
}

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

export function createRevocationChecks({
  own,
  sources,
  lookupTimeoutSeconds,
  statusLists,
  clock,
}: RevocationParts): RevocationChecks {
  function check({ named: names, refusalFor, token }: CheckedNames): Revalidate {
    let known: ReadonlyMap<string, Revocable> | undefined;
    const named = (): ReadonlyMap<string, Revocable> => (known ??= names());
    let askedAt: number | undefined;
    const revokedHere = (): Refusal | undefined => {
      const revoked = own.isEmpty ? undefined : own.findByKey(named(), clock() / 1000);
      return revoked && refusalFor(revoked);
    };
    return () => {
      const now = clock() / 1000;
      const refused = revokedHere();
      if (refused !== undefined) return refused;
      if (askedAt !== undefined && now >= askedAt && now < askedAt + goodForSeconds) return undefined;
      const bySource = sources.length === 0 ? undefined : problemBySource([...named().values()], refusalFor);
      // The sources took their time: by an older clock, a list that was just fetched would come from the future.
      const problem = andThen(bySource, (found) => found ?? (token && statusLists.problem(token, clock() / 1000)));
      return andThen(problem, (found) => {
        // This process may have revoked it while a source was asked.
        const problemNow = found ?? revokedHere();
        if (problemNow === undefined) askedAt = now;
        return problemNow;
      });
    };
  }

  async function problemBySource(
    named: readonly Revocable[],
    refusalFor: CheckedNames['refusalFor'],
  ): Promise<Refusal | undefined> {
    for (const source of sources) {
      const answer = () => answerInTime(lookupTimeoutSeconds, () => source.findRevoked(named, clock() / 1000));
      const problem = await problemOf(answer, named, refusalFor);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  return {
    ofChain: (chain, token) =>
      check({
        named: () => namesInChain(chain, token?.namespace),
        refusalFor: (revoked) => refusalInChain(revoked, chain),
        token,
      }),
    ofApproval: (claims, namespace) =>
      check({
        named: () => namesInApproval(claims, namespace),
        refusalFor: (revoked) => refusal('approval_invalid', detailOf(revoked)),
        token: undefined,
      }),
  };
}

/** A source that fails, in whatever way, has not said that nothing is revoked. */
function problemOf(
  answer: () => Awaitable<Revocable | undefined>,
  named: readonly Revocable[],
  refusalFor: CheckedNames['refusalFor'],
): Awaitable<Refusal | undefined> {
  const judge = (revoked: Revocable | undefined): Refusal | undefined => {
    if (revoked === undefined) return undefined;
    if (named.includes(revoked)) return refusalFor(revoked);
    containRejections(revoked);
    return refusal('revocations_unavailable', 'a source gave an answer that was not asked for');
  };
  return answerOr(
    () => andThen(answer(), judge),
    (error) => outage('revocations_unavailable', error),
  );
}

/** The actor itself answers to the codes that a directory would give it; who else is revoked, only the log says. */
function refusalInChain(revoked: Revocable, chain: Chain): Refusal {
  const actor = chain.at(-1);
  const [kind, id] = kindAndId(revoked);
  const detail = detailOf(revoked);
  if (kind === 'agent' && id === actor?.id) return refusal('agent_suspended', detail);
  if (kind === 'key' && id === actor?.keyId) return refusal('key_not_valid', detail);
  return refusal('delegation_revoked', detail);
}

function detailOf(revoked: Revocable): string {
  return `${kindAndId(revoked).join(' ')} is revoked`;
}
