import type { Chain } from '@countersign/delegation';
import { closeParts } from '@countersign/common';
import type { VerifiedToken } from '../token/token-verifier.js';
import { type Revocations, revocationsIn } from './memory-revocations.js';
import { RevocationSet } from './revocation-set.js';
import type { RevocationSource } from './source.js';
import { createStandings, type Revalidate } from './revalidate.js';
import { createStatusLists } from './status-lists.js';

/** Everything by which a guard learns what has been revoked. */
export interface GuardRevocations {
  /** What this process itself revokes. */
  readonly own: Revocations;
  /** Prepares the question whether a verified chain, and the token that it begins with, still stand. */
  standing(chain: Chain, token: VerifiedToken | undefined): Revalidate;
  close(): Promise<void>;
}

interface GuardRevocationsOptions {
  readonly sources: readonly RevocationSource[];
  readonly lookupTimeoutSeconds: number;
  readonly clock: () => number;
  readonly clockSkewSeconds: number;
}

export function createGuardRevocations({
  sources,
  lookupTimeoutSeconds,
  clock,
  clockSkewSeconds,
}: GuardRevocationsOptions): GuardRevocations {
  const ownSet = new RevocationSet();
  const statusLists = createStatusLists({ clockSkewSeconds });
  return {
    own: revocationsIn(ownSet, clock),
    standing: createStandings({ own: ownSet, sources, lookupTimeoutSeconds, statusLists, clock }),
    close: () => closeParts(sources),
  };
}
