import { isWholeNumber } from './claim-values.js';
import { isStringOrUri } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type DelegationRefusal, refuse } from './refusal.js';

/** Where a Token Status List says whether a token still counts. */
export interface StatusReference {
  /** Of the Status List Token. */
  readonly uri: string;
  /** Which entry of the list, from 0. */
  readonly index: number;
}

/**
 * Reads a `status` claim. A status that is kept in another way than a `status_list` cannot be asked for here, and is
 * refused: dropping it would let a revoked token count.
 */
export function readStatusReference(
  value: unknown,
): { readonly ok: true; readonly reference: StatusReference } | DelegationRefusal<'status_malformed'> {
  const list = isJsonObject(value) ? member(value, 'status_list') : undefined;
  if (!isJsonObject(list)) return refuse('status_malformed');
  const uri = member(list, 'uri');
  const index = member(list, 'idx');
  if (!isStringOrUri(uri) || !isWholeNumber(index)) return refuse('status_malformed');
  return { ok: true, reference: { uri, index } };
}
