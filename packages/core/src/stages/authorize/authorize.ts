import { andThen, type Awaitable } from '@countersign/common';
import { type ScopeMatch, scopeCovers } from '@countersign/delegation';
import type { Resource } from '@countersign/policy';
import type { Caller } from '../../model/caller.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { Revalidate } from '../revocation/check-revocations.js';
import type { Evaluator } from './evaluate.js';
import type { Asked } from './question.js';
import type { Verdict } from './verdict.js';

export interface DecisionParts {
  readonly evaluate: Evaluator;
  readonly scopeMatch: ScopeMatch;
}

/** Decides one action on one resource: scope, then policy. Never rejects. */
export function authorize(
  asked: Asked,
  resource: Resource,
  revalidate: Revalidate,
  { evaluate, scopeMatch }: DecisionParts,
): Awaitable<Verdict> {
  return andThen(barredFromAsking(asked, revalidate, scopeMatch), (barred) => {
    if (barred !== undefined) return { permitted: false, refused: barred };
    return andThen(evaluate(asked, [resource]), ([verdict = undecided]) => {
      if (!verdict.permitted) return verdict;
      // Policy may have waited for others: what was revoked or has expired meanwhile must not act on.
      return andThen(revalidate(), (lapsed) =>
        lapsed === undefined ? verdict : { permitted: false, refused: lapsed },
      );
    });
  });
}

const undecided: Verdict = { permitted: false, refused: refusal('policy_error', 'nothing was decided') };

/** Why policy is not even asked: something was revoked since the request was let in, or the scope does not suffice. */
export function barredFromAsking(
  asked: Asked,
  revalidate: Revalidate,
  scopeMatch: ScopeMatch,
): Awaitable<Refusal | undefined> {
  return andThen(revalidate(), (lapsed) => lapsed ?? missingScope(asked, scopeMatch));
}

function missingScope({ caller, requires }: Asked, scopeMatch: ScopeMatch): Refusal | undefined {
  if (requires === undefined) return undefined;
  const missing = missingScopes(caller, requires, scopeMatch);
  // The challenge names all of them, so that one new token is enough.
  return missing.length === 0
    ? undefined
    : refusal('insufficient_scope', `${missing.join(' ')} is not covered`, requires);
}

/** The required scopes, separated by spaces, that the caller does not hold. */
export function missingScopes(
  { scope }: Pick<Caller, 'scope'>,
  requires: string,
  scopeMatch: ScopeMatch,
): readonly string[] {
  return requires.split(' ').filter((one) => !scopeCovers(scope, one, scopeMatch));
}
