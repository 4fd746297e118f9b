import { type AuthorizationDetail, type AuthorizationDetailLists, detailsCover } from '@countersign/delegation';
import type { Permission } from './guard.js';
import type { MatchingDetails } from './policy/engine.js';
import { type Refusal, refusal } from './refusal.js';

/**
 * What the details of a delegation (RFC 9396) say about one action on one resource: the members of those that match, a
 * refusal if some hop's list holds none that does, undefined if nothing was limited. `locations` are the names of the API.
 */
export function matchingDetails(
  lists: AuthorizationDetailLists | undefined,
  { action, resource }: Permission,
  locations: readonly string[],
): MatchingDetails | Refusal | undefined {
  if (lists === undefined) return undefined;
  for (const location of locations) {
    const matching = detailsCover(lists, { action, resource, location });
    if (matching !== undefined) return gather(matching);
  }
  return refusal('authorization_details_exceeded', 'none of the authorization_details of a hop covers this');
}

function gather(details: readonly AuthorizationDetail[]): MatchingDetails {
  const all = (read: (detail: AuthorizationDetail) => readonly string[] | undefined): readonly string[] => [
    ...new Set(details.flatMap((detail) => read(detail) ?? [])),
  ];
  return {
    types: all(({ type }) => [type]),
    actions: all(({ actions }) => actions),
    identifiers: all(({ identifier }) => (identifier === undefined ? undefined : [identifier])),
    locations: all(({ locations }) => locations),
    datatypes: all(({ datatypes }) => datatypes),
    privileges: all(({ privileges }) => privileges),
  };
}
