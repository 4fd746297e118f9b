import { isIdentifier, isStringOrUri } from './identifier.js';
import { canonicalJson, type CopyBudget, copyJson, isJsonObject, member } from './json.js';
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
  /** How the API names itself, such as its origin. A detail for one of them is for this API. */
  readonly locations: readonly string[];
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

/**
 * Whether every detail of the child lies within one single detail of the parent. Linear in their values: bit n of a number
 * stands for detail n of the parent, of which there are at most 32.
 */
export function detailsNarrow(child: readonly AuthorizationDetail[], parent: readonly AuthorizationDetail[]): boolean {
  // Beyond this, two details would have the same bit.
  if (parent.length > MAX_DETAILS) return false;
  const common = new Map<string, number>();
  for (const [at, detail] of parent.entries()) addBit(common, commonPart(detail), at);
  const limits = LIMITS.map((name) => limitOf(parent, name));
  return child.every((narrow) => {
    const alike = common.get(commonPart(narrow)) ?? 0;
    return LIMITS.reduce((bits, name, at) => bits & allowedBy(limits[at], narrow[name]), alike) !== 0;
  });
}

const LIMITS = ['identifier', ...LISTS] as const;

/** What must be equal in both: the type, and the unknown members, because each may limit or grant. */
function commonPart(detail: AuthorizationDetail): string {
  return canonicalJson([detail.type, Object.fromEntries(unknownMembers(detail).map((name) => [name, detail[name]]))]);
}

/** The details of the parent that do not limit one member, and those that allow each value of it. */
interface Limit {
  unlimited: number;
  readonly allowing: Map<string, number>;
}

function limitOf(parent: readonly AuthorizationDetail[], name: (typeof LIMITS)[number]): Limit {
  const limit: Limit = { unlimited: 0, allowing: new Map() };
  for (const [at, { [name]: values }] of parent.entries()) {
    if (values === undefined) limit.unlimited |= 1 << at;
    else for (const value of [values].flat()) addBit(limit.allowing, value, at);
  }
  return limit;
}

/** The details of the parent that allow all these values; an absent member is every value. */
function allowedBy(limit: Limit | undefined, values: string | readonly string[] | undefined): number {
  if (limit === undefined) return 0;
  const { unlimited, allowing } = limit;
  if (values === undefined) return unlimited;
  return [values].flat().reduce((bits, value) => bits & (unlimited | (allowing.get(value) ?? 0)), -1);
}

function addBit(bits: Map<string, number>, key: string, at: number): void {
  bits.set(key, (bits.get(key) ?? 0) | (1 << at));
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
 *   locations: ['https://api.acme.dev'],
 * }); // undefined
 */
export function detailsCover(
  lists: AuthorizationDetailLists,
  request: DetailedRequest,
): readonly AuthorizationDetail[] | undefined {
  return detailsCovering(lists, request)(request.resource);
}

/** `detailsCover` for many resources: what does not depend on the resource is compared once. */
export function detailsCovering(
  lists: AuthorizationDetailLists,
  request: Omit<DetailedRequest, 'resource'>,
): (resource: DetailedRequest['resource']) => readonly AuthorizationDetail[] | undefined {
  const able = lists.map((list) => list.filter((detail) => allowsRequest(detail, request)));
  return ({ type, id }) => {
    let matching: readonly AuthorizationDetail[] = [];
    for (const list of able) {
      matching = list.filter(
        (detail) => detail.type === type && (detail.identifier === undefined || detail.identifier === id),
      );
      if (matching.length === 0) return undefined;
    }
    return matching;
  };
}

function allowsRequest(
  detail: AuthorizationDetail,
  { action, locations }: Pick<DetailedRequest, 'action' | 'locations'>,
): boolean {
  return (
    unknownMembers(detail).length === 0 && // RFC 9396 §5: unknown fields are refused, not ignored
    (detail.actions === undefined || detail.actions.includes(action)) &&
    (detail.locations === undefined || detail.locations.some((name) => locations.includes(name)))
  );
}
