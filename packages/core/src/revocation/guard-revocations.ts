import type { Chain } from '@countersign/delegation';
import { closeParts } from '../close-parts.js';
import type { VerifiedToken } from '../token/token-verifier.js';
import { type Revocations, revocationsIn } from './memory-revocations.js';
import { RevocationSet } from './revocation-set.js';
import type { RevocationSource } from './source.js';
import { createStandings, type Standing } from './standing.js';
import { createStatusLists } from './status-lists.js';

/** Everything by which a guard learns what has been revoked. */
export interface GuardRevocations {
  /** What this process itself revokes. */
  readonly own: Revocations;
  /** Prepares the question whether a verified chain, and the token that it begins with, still stand. */
  standing(chain: Chain, token: VerifiedToken | undefined): Standing;
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
