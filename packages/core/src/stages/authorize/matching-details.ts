import {
  type AuthorizationDetail,
  type AuthorizationDetailLists,
  detailsCovering,
  unknownMembers,
} from '@countersign/delegation';
import type { MatchingDetails, Resource } from '@countersign/policy';
import { answeredAs, type Refusal, refusal } from '../../model/refusal.js';

/** The details that match a resource. Each is a right of its own: no two may be mixed. */
export interface MatchedDetails {
  /** What any of them allows. What policy does not permit within all, it permits within none. */
  readonly all: MatchingDetails;
  /** What each allows, without repetitions. */
  readonly each: readonly MatchingDetails[];
}

/**
 * What the details of a delegation (RFC 9396) say about an action on one resource: the members of those that match, a
 * refusal if some hop's list holds none that does, undefined if nothing was limited. Resources that the same details match
 * get the same object.
 */
export type DetailsMatch = (resource: Resource) => MatchedDetails | Refusal | undefined;

/**
 * Whoever delegates chooses how long the details are, so that for each resource only their types and identifiers are
 * compared. `locations` are the names of the API.
 */
export function detailsMatch(
  lists: AuthorizationDetailLists | undefined,
  request: { readonly action: string; readonly locations: readonly string[] },
): DetailsMatch {
  if (lists === undefined) return () => undefined;
  const matchingOf = detailsCovering(lists, request);
  const last = lists.at(-1) ?? [];
  const matched = new Map<string, MatchedDetails>();
  let exceeded: Refusal | undefined;
  return (resource) => {
    const matching = matchingOf(resource);
    if (matching === undefined) return (exceeded ??= refuseAll(lists));
    const key = matching.map((detail) => last.indexOf(detail)).join(' ');
    const same = matched.get(key) ?? matchedDetails(matching);
    matched.set(key, same);
    return same;
  };
}

function refuseAll(lists: AuthorizationDetailLists): Refusal {
  const detail = `none of the authorization_details of a hop covers this${notKnown(lists)}`;
  // Answered as what does not exist, which no detail can cover: the code would tell that this exists.
  return answeredAs(refusal('authorization_details_exceeded', detail), refusal('policy_denied'));
}

/** For the log: whoever wrote the member thought that it limits, or misspelt one. */
function notKnown(lists: AuthorizationDetailLists): string {
  const [name] = lists.flat().flatMap(unknownMembers);
  return name === undefined ? '' : `; the member ${JSON.stringify(name.slice(0, 64))} is not known here`;
}

function matchedDetails(matching: readonly AuthorizationDetail[]): MatchedDetails {
  const all = gather(matching);
  if (matching.length === 1) return { all, each: [all] };
  const each = new Map(matching.map((detail) => gather([detail])).map((one) => [JSON.stringify(one), one]));
  return { all, each: [...each.values()] };
}

function gather(details: readonly AuthorizationDetail[]): MatchingDetails {
  const actions = limits(details.map((detail) => detail.actions));
  const identifiers = limits(details.map(({ identifier }) => (identifier === undefined ? undefined : [identifier])));
  const locations = limits(details.map((detail) => detail.locations));
  const datatypes = limits(details.map((detail) => detail.datatypes));
  const privileges = limits(details.map((detail) => detail.privileges));
  return {
    types: unique(details.map(({ type }) => type)),
    ...(actions && { actions }),
    ...(identifiers && { identifiers }),
    ...(locations && { locations }),
    ...(datatypes && { datatypes }),
    ...(privileges && { privileges }),
  };
}

/** One detail that is not limited allows everything, whatever the others name: then there is no limit to tell of. */
function limits(named: readonly (readonly string[] | undefined)[]): readonly string[] | undefined {
  return named.includes(undefined) ? undefined : unique(named.flatMap((values) => values ?? []));
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
