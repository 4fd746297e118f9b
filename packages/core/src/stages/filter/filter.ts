import type { AuditEvent } from '@countersign/audit';
import { checkOptionNames } from '@countersign/common';
import { readResource, type Resource, resourceProblem } from '@countersign/policy';
import { type Refusal, refusal } from '../../model/refusal.js';
import { fitsRecord } from '../authorize/resolve-resource.js';
import { barredFromAsking, type DecisionParts } from '../authorize/authorize.js';
import type { Asked } from '../authorize/question.js';
import type { Verdict } from '../authorize/verdict.js';
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
  const resources = listed.map(({ resource }) => resource);
  const verdicts = (await evaluate(asked, resources)).map(withoutConsent);
  const outage = verdicts.find((verdict) => !verdict.permitted && verdict.refused.status >= 500);
  if (outage?.permitted === false) return { ok: false, refusal: outage.refused };
  // A long list takes its time, and so may those whom policy asks.
  const lapsed = await revalidate();
  if (lapsed !== undefined) return { ok: false, refusal: lapsed };
  const shown = listed.filter(({ resource }, place) => verdicts[place]?.permitted === true && fitsRecord(resource));
  const list = { action: asked.action, ...describe(resources, shown, verdicts) };
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

/** The list as it is now: the application may insert or sort while policy is asked. Or the problem with one of its items. */
function listOf<Item extends Resource>(items: readonly Item[]): readonly Listed<Item>[] | string {
  try {
    const listed: Listed<Item>[] = [];
    for (const item of items) {
      const resource = readResource(item);
      if (resource === undefined) return `resource ${listed.length} of the list: ${resourceProblem(item)}`;
      listed.push({ item, resource });
    }
    return listed;
  } catch {
    return 'the list holds what cannot be read';
  }
}

/** A record must fit into a line of the log. */
const maxListed = 100;
const maxListedUnits = 6000;
const maxPolicies = 50;

function describe(
  resources: readonly Resource[],
  shown: readonly Listed<Resource>[],
  verdicts: readonly Verdict[],
): Omit<FilteredList, 'action'> {
  const permitted = shown.map(({ resource }) => resource);
  const asked = verdicts.flatMap(({ policy }) => policy ?? []);
  const policies = new Set(
    verdicts.flatMap(({ permitted: isPermitted, policy }) => (isPermitted ? policy.policies : [])),
  );
  const undecided = verdicts.flatMap((verdict) =>
    !verdict.permitted && verdict.refused.code === 'policy_error' ? [verdict.refused.detail ?? ''] : [],
  );
  return {
    ...(permitted.length > 0 || resources.length === 0
      ? { decision: 'allow' }
      : { decision: 'deny', code: 'policy_denied' }),
    filtered: { asked: resources.length, permitted: permitted.length, resources: firstOf(permitted) },
    policies: [...policies].slice(0, maxPolicies),
    policySet: [...new Set(asked.map(({ policySet }) => policySet))].join(' '),
    ...(undecided.length > 0 && { detail: `${undecided.length} could not be decided: ${undecided[0]}` }),
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
