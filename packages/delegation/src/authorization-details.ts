import { isIdentifier, isStringOrUri } from './identifier.js';
import { type CopyBudget, copyJson, equalJson, isJsonObject, member } from './json.js';
import { type DelegationRefusal, refuse } from './refusal.js';

/**
 * One limit on actions and resources (RFC 9396 §2). An absent member does not limit. A detail with members other than
 * the six named here is read and delegated unchanged, but covers no request and is never minted, because an unknown
 * member could be a limit.
 */
export interface AuthorizationDetail {
  /** The entity type of the resource, such as `Repo`. */
  readonly type: string;
  /** The actions, such as `pr.create`. */
  readonly actions?: readonly string[];
  /** The one resource. */
  readonly identifier?: string;
  /** The APIs, as they name themselves. */
  readonly locations?: readonly string[];
  readonly datatypes?: readonly string[];
  readonly privileges?: readonly string[];
  readonly [other: string]: unknown;
}

/** The lists of a chain: one for each delegation that has one, in order. A request must be covered in every one. */
export type AuthorizationDetailLists = readonly (readonly AuthorizationDetail[])[];

/** The request that is compared with details. */
export interface DetailedRequest {
  readonly action: string;
  readonly resource: { readonly type: string; readonly id: string };
  /** How the API names itself, such as its origin. */
  readonly location: string;
}

const MAX_DETAILS = 32;
const MAX_ENTRIES = 100;
const MAX_DEPTH = 8;
// A few kilobytes of text can hold thousands of empty objects, and a cache of verified tokens would keep them.
const MAX_VALUES = 1000;

const LISTS = ['actions', 'locations', 'datatypes', 'privileges'] as const;
/** The members whose meaning is known. */
export const DETAIL_MEMBERS: readonly string[] = ['type', 'identifier', ...LISTS];

/**
 * Parses an `authorization_details` claim strictly: 1 to 32 objects, each with a `type`, lists of 1 to 100 strings,
 * other members at most 8 levels deep, and at most 1000 values in total. The details are frozen copies. Never throws on
 * a JSON value.
 */
export function readAuthorizationDetails(
  value: unknown,
):
  | { readonly ok: true; readonly details: readonly AuthorizationDetail[] }
  | DelegationRefusal<'authorization_details_malformed'> {
  // An empty list is ambiguous: one reader sees no limit, another sees that nothing is allowed.
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_DETAILS) return malformed();
  const budget: CopyBudget = { values: MAX_VALUES };
  const details = Array.from(value, (detail) => readDetail(detail, budget));
  return details.every((detail) => detail !== undefined) ? { ok: true, details: Object.freeze(details) } : malformed();
}

function readDetail(value: unknown, budget: CopyBudget): AuthorizationDetail | undefined {
  if (!isJsonObject(value) || !isIdentifier(member(value, 'type'))) return undefined;
  const identifier = member(value, 'identifier');
  if (identifier !== undefined && !isStringOrUri(identifier)) return undefined;
  if (!LISTS.every((name) => isList(member(value, name)))) return undefined;
  return copyJson(value, MAX_DEPTH, budget) as AuthorizationDetail | undefined;
}

function isList(value: unknown): boolean {
  if (value === undefined) return true;
  return Array.isArray(value) && value.length > 0 && value.length <= MAX_ENTRIES && value.every(isStringOrUri);
}

function malformed(): DelegationRefusal<'authorization_details_malformed'> {
  return refuse('authorization_details_malformed');
}

/** Whether every detail of the child lies within one single detail of the parent. */
export function detailsNarrow(child: readonly AuthorizationDetail[], parent: readonly AuthorizationDetail[]): boolean {
  return child.every((narrow) => parent.some((wide) => liesWithin(narrow, wide)));
}

function liesWithin(narrow: AuthorizationDetail, wide: AuthorizationDetail): boolean {
  return (
    narrow.type === wide.type &&
    (wide.identifier === undefined || narrow.identifier === wide.identifier) &&
    LISTS.every((name) => isSubset(narrow[name], wide[name])) &&
    equalJson(others(narrow), others(wide))
  );
}

/** An absent list allows every value. */
function isSubset(narrow: readonly string[] | undefined, wide: readonly string[] | undefined): boolean {
  if (wide === undefined) return true;
  const allowed = new Set(wide);
  return narrow !== undefined && narrow.every((entry) => allowed.has(entry));
}

/** An unknown member may limit or grant, so it must be the same in parent and child. */
function others(detail: AuthorizationDetail): Readonly<Record<string, unknown>> {
  return Object.fromEntries(unknownMembers(detail).map((name) => [name, detail[name]]));
}

/** The names of the members that are none of RFC 9396 §2.2: a detail that has any covers no request. */
export function unknownMembers(detail: AuthorizationDetail): readonly string[] {
  return Object.keys(detail).filter((name) => !DETAIL_MEMBERS.includes(name));
}

/**
 * Returns the details of the last list that cover the request, or undefined if a list has no detail that covers it.
 * `datatypes` and `privileges` are not compared; a policy can compare them. A detail with an unknown member covers
 * nothing, because the member may be a misspelt limit.
 *
 * @example
 * detailsCover([[{ type: 'Repo', identifier: 'acme/api' }]], {
 *   action: 'pr.create',
 *   resource: { type: 'Repo', id: 'acme/web' },
 *   location: 'https://api.acme.dev',
 * }); // undefined
 */
export function detailsCover(
  lists: AuthorizationDetailLists,
  request: DetailedRequest,
): readonly AuthorizationDetail[] | undefined {
  let matching: readonly AuthorizationDetail[] = [];
  for (const list of lists) {
    matching = list.filter((detail) => detailCovers(detail, request));
    if (matching.length === 0) return undefined;
  }
  return matching;
}

function detailCovers(detail: AuthorizationDetail, { action, resource, location }: DetailedRequest): boolean {
  return (
    detail.type === resource.type &&
    unknownMembers(detail).length === 0 && // RFC 9396 §5: unknown fields are refused, not ignored
    (detail.identifier === undefined || detail.identifier === resource.id) &&
    (detail.actions === undefined || detail.actions.includes(action)) &&
    (detail.locations === undefined || detail.locations.includes(location))
  );
}
