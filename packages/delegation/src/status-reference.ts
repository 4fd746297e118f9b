import { isWholeNumber } from './claim-values.js';
import { isStringOrUri } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type DelegationRefusal, refuse } from './refusal.js';

/** A reference to the entry of a Token Status List that holds the status of a token. */
export interface StatusReference {
  /** URI of the Status List Token. */
  readonly uri: string;
  /** Index of the entry, from 0. */
  readonly index: number;
}

/**
 * Parses a `status` claim. Any mechanism other than `status_list` is not supported and is refused: ignoring it would
 * accept a revoked token.
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
