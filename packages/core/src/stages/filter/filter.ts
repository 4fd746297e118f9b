import type { AuditEvent } from '@countersign/audit';
import { checkOptionNames, containRejections, errorMessage, kindOf } from '@countersign/common';
import { readResource, type Resource, resourceProblem } from '@countersign/policy';
import { type Refusal, type RefusalCode, refusal } from '../../model/refusal.js';
import { fitsRecord } from '../authorize/resolve-resource.js';
import { barredFromAsking, type DecisionParts } from '../authorize/authorize.js';
import type { Asked } from '../authorize/question.js';
import { isOutage, type Verdict } from '../authorize/verdict.js';
import type { Revalidate } from '../revocation/check-revocations.js';

export interface FilterOptions {
  /** The scope that the caller must hold besides policy's consent. */
  readonly requires?: string;
}

/** The scope of `requires`. @throws ConfigError for a misspelt one, which would demand no scope. */
export function readFilterOptions(owner: string, options: FilterOptions): string | undefined {
  checkOptionNames(owner, options, ['requires']);
  return options.requires;
}

/** The resources that were given, as far as they are permitted; or why none is shown. */
export type Filtered<Item extends Resource> =
  | { readonly ok: true; readonly permitted: readonly Item[] }
  | { readonly ok: false; readonly refusal: Refusal };

/** The recorded part of a filtered list. */
export type FilteredList = Pick<AuditEvent, 'decision' | 'code' | 'detail' | 'filtered' | 'policies' | 'policySet'> & {
  readonly action: string;
  /** Why resources could not be decided: the first reason of each kind, to be reported. Never recorded. */
  readonly faults: readonly Refusal[];
};

/** What is permitted of a list, and what the record of it says. */
export type FilterVerdict<Item extends Resource> =
  | { readonly ok: true; readonly permitted: readonly Item[]; readonly list: FilteredList }
  | { readonly ok: false; readonly refusal: Refusal };

/** Decides as `authorize` does, about many resources at once. Never rejects. */
export async function filter<Item extends Resource>(
  asked: Asked,
  items: readonly Item[],
  revalidate: Revalidate,
  { evaluate, scopeMatch }: DecisionParts,
): Promise<FilterVerdict<Item>> {
  const barred = await barredFromAsking(asked, revalidate, scopeMatch);
  if (barred !== undefined) return { ok: false, refusal: barred };
  const listed = listOf(items);
  if (typeof listed === 'string') return { ok: false, refusal: refusal('resource_unresolved', listed) };
  const { read, unread } = listed;
  const resources = read.map(({ resource }) => resource);
  const verdicts = (await evaluate(asked, resources)).map(withoutConsent);
  const refusals = [...unread, ...verdicts.flatMap((verdict) => (verdict.permitted ? [] : verdict.refused))];
  const unresolved = refusals.filter(({ code }) => code === 'resource_unresolved');
  // If none could be determined, nothing is lost by an error, and an empty list would hide an outage.
  const uncovered = refusals.filter(({ code }) => code === 'authorization_details_exceeded');
  const isUnresolved = unresolved.length + uncovered.length === unread.length + verdicts.length;
  const outage = refusals.find(isOutage) ?? (isUnresolved ? unresolved[0] : undefined);
  if (outage !== undefined) return { ok: false, refusal: outage };
  // A long list takes its time, and so may those whom policy asks.
  const lapsed = await revalidate();
  if (lapsed !== undefined) return { ok: false, refusal: lapsed };
  const shown = read.filter(({ resource }, place) => verdicts[place]?.permitted === true && fitsRecord(resource));
  const filtered = { asked: unread.length + read.length, ...named(shown) };
  const list = { action: asked.action, filtered, ...describe(shown, verdicts, refusals) };
  return { ok: true, permitted: shown.map(({ item }) => item), list };
}

/** Nobody consents to an item of a list. */
function withoutConsent(verdict: Verdict): Verdict {
  if (!verdict.permitted || verdict.policy.approval === undefined) return verdict;
  return { permitted: false, policy: verdict.policy, refused: refusal('approval_required') };
}

/** An item of the application, and the copy that is decided and recorded. */
interface Listed<Item extends Resource> {
  readonly item: Item;
  readonly resource: Resource;
}

interface List<Item extends Resource> {
  readonly read: readonly Listed<Item>[];
  /** Why others are left out. */
  readonly unread: readonly Refusal[];
}

/** The list as it is now: the application may insert or sort while policy is asked. Or why it is none. */
function listOf<Item extends Resource>(items: readonly Item[]): List<Item> | string {
  try {
    const read: Listed<Item>[] = [];
    const unread: Refusal[] = [];
    for (const item of items) {
      const resource = readItem(item, read.length + unread.length);
      if ('code' in resource) unread.push(resource);
      else read.push({ item, resource });
    }
    return { read, unread };
  } catch {
    containRejections(items);
    return 'the list holds what cannot be read';
  }
}

function readItem(item: Resource, place: number): Resource | Refusal {
  const name = `resource ${place} of the list`;
  try {
    const read = readResource(item);
    if (read !== undefined) return read;
    containRejections(item);
    return refusal('resource_unresolved', `${name}: ${resourceProblem(item)}`);
  } catch (error) {
    // The getter of a row. A foreign error may quote the request, so its text stays out of the audit log.
    const refused = refusal('resource_unresolved', `${name}: ${kindOf(error)}`);
    return { ...refused, reported: `${name} cannot be read: ${errorMessage(error)}` };
  }
}

/** A record must fit into a line of the log. */
const maxListed = 100;
const maxListedUnits = 6000;
const maxPolicies = 50;

function named(shown: readonly Listed<Resource>[]): Omit<NonNullable<FilteredList['filtered']>, 'asked'> {
  return { permitted: shown.length, resources: firstOf(shown.map(({ resource }) => resource)) };
}

/** Codes of what was not decided about a resource that is left out. */
const undecidedCodes: readonly RefusalCode[] = ['policy_error', 'resource_unresolved'];

function describe(
  shown: readonly Listed<Resource>[],
  verdicts: readonly Verdict[],
  refusals: readonly Refusal[],
): Omit<FilteredList, 'action' | 'filtered'> {
  const asked = verdicts.flatMap(({ policy }) => policy ?? []);
  const policies = new Set(
    verdicts.flatMap(({ permitted: isPermitted, policy }) => (isPermitted ? policy.policies : [])),
  );
  const undecided = refusals.filter(({ code }) => undecidedCodes.includes(code));
  const counted = (text = ''): string => `${undecided.length} could not be decided: ${text}`;
  const faults = undecidedCodes.flatMap((code) => {
    const first = undecided.find((refused) => refused.code === code);
    return first === undefined ? [] : { ...first, reported: counted(first.reported ?? first.detail) };
  });
  return {
    ...(shown.length > 0 || refusals.length + verdicts.length === 0
      ? { decision: 'allow' }
      : { decision: 'deny', code: 'policy_denied' }),
    policies: [...policies].slice(0, maxPolicies),
    policySet: [...new Set(asked.map(({ policySet }) => policySet))].join(' '),
    ...(undecided.length > 0 && { detail: counted(undecided[0]?.detail) }),
    faults,
  };
}

function firstOf(permitted: readonly Resource[]): { readonly type: string; readonly id: string }[] {
  const kept: { readonly type: string; readonly id: string }[] = [];
  let units = 0;
  for (const { type, id } of permitted.slice(0, maxListed)) {
    if (units + type.length + id.length > maxListedUnits) continue;
    units += type.length + id.length;
    kept.push({ type, id });
  }
  return kept;
}
