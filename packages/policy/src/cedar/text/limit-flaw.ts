import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { details, detailsCouldPermit } from './details.js';
import { errorCouldPermit } from './hidden-errors.js';
import { history, historyCouldPermit } from './history.js';

/**
 * How more history, or further authorization details, could lead to a permit. `approval`: they could take away people who
 * must approve. `error` and `error-without-schema`: they could hide an error, in the latter case one that a schema rules out.
 */
export type LimitFlaw = 'approval' | 'history' | 'details' | 'error' | 'error-without-schema';

const FACTS = [history, details];

/** Agents of a chain add history and details, and so may only make a policy forbid. */
export function limitFlawOf(policy: PolicyJson): LimitFlaw | undefined {
  const { conditions } = policy;
  if (!FACTS.some((facts) => facts.reads(conditions))) return undefined;
  if (asksApproval(policy)) return 'approval';
  if (historyCouldPermit(policy)) return 'history';
  if (detailsCouldPermit(policy)) return 'details';
  if (FACTS.some((facts) => errorCouldPermit(policy, facts, true))) return 'error';
  return FACTS.some((facts) => errorCouldPermit(policy, facts, false)) ? 'error-without-schema' : undefined;
}

/** All permits that ask must be met, so that such a permit forbids as well as it permits. */
function asksApproval({ effect, annotations }: PolicyJson): boolean {
  // Contrary to its types, the library omits empty annotations.
  return effect === 'permit' && annotations !== undefined && Object.hasOwn(annotations, 'approval');
}
