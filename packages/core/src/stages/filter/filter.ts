import type { DecidedAction, FilteredList } from '../../record/recorder.js';
import { type AuthorizerParts, barredFromAsking } from '../authorize/authorize.js';
import type { Caller } from '../../model/caller.js';
import type { Guard } from '../../guard.js';
import { isResource, type Resource, resourceProblem } from '@countersign/policy';
import type { Verdict } from '../authorize/verdict.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { AdmittedRequest } from '../../record/request-register.js';
import { whileServed } from '../authorize/while-served.js';

export interface FilterOptions {
  /** The scope that the caller must hold besides policy's consent. */
  readonly requires?: string;
}

/** The resources that were given, as far as they are permitted; or why none is shown. */
export type Filtered<Item extends Resource> =
  | { readonly ok: true; readonly permitted: readonly Item[] }
  | { readonly ok: false; readonly refusal: Refusal };

/** Asks as `authorize` does, about many resources at once. */
export function createFilter({ judge, recorder, register, scopeMatch }: AuthorizerParts): Guard['filter'] {
  async function filterAndRecord<Item extends Resource>(
    caller: Caller,
    admitted: AdmittedRequest,
    items: readonly Item[],
    { action, requires }: { readonly action: string } & FilterOptions,
  ): Promise<Filtered<Item>> {
    const { facts } = admitted;
    async function refuse(refused: Refusal): Promise<Filtered<Item>> {
      const decided: DecidedAction = { action };
      return { ok: false, refusal: await recorder.denied(caller, facts, decided, refused) };
    }

    const barred = await barredFromAsking(caller, admitted, requires, scopeMatch);
    if (barred !== undefined) return await refuse(barred);
    const resources = copiesOf(items);
    if (typeof resources === 'string') return await refuse(refusal('resource_unresolved', resources));
    const judgements = await judge({ caller, action, requires, facts }, resources);
    const outage = judgements.find((judgement) => !judgement.permitted && judgement.refused.status >= 500);
    if (outage?.permitted === false) return await refuse(outage.refused);
    // A long list takes its time, and so may those whom policy asks.
    const fallen = await admitted.standing();
    if (fallen !== undefined) return await refuse(fallen);
    // No record, no list.
    const unrecorded = await recorder.filtered(caller, facts, { action, ...describe(resources, judgements) });
    if (unrecorded !== undefined) return { ok: false, refusal: unrecorded };
    return { ok: true, permitted: items.filter((_item, place) => judgements[place]?.permitted === true) };
  }

  return async (caller, action, resources, { requires } = {}) =>
    await whileServed(register, caller, async (admitted) => {
      const answer = await filterAndRecord(caller, admitted, resources, { action, ...(requires && { requires }) });
      // The route lists on behalf of the caller, also an empty list: its outcome is recorded.
      if (answer.ok) admitted.allowed = true;
      return answer;
    });
}

/** Copied, so that what is recorded is what was decided; or what is wrong with one of them. */
function copiesOf(items: readonly Resource[]): readonly Resource[] | string {
  try {
    const place = items.findIndex((item) => !isResource(item));
    if (place === -1) return items.map((item) => ({ ...item }));
    return `resource ${place} of the list: ${resourceProblem(items[place])}`;
  } catch {
    return 'the list holds what cannot be read';
  }
}

/** A record must fit into a line of the log. */
const maxListed = 100;
const maxListedUnits = 6000;
const maxPolicies = 50;

function describe(resources: readonly Resource[], judgements: readonly Verdict[]): Omit<FilteredList, 'action'> {
  const permitted = resources.filter((_resource, place) => judgements[place]?.permitted === true);
  const asked = judgements.flatMap(({ policy }) => policy ?? []);
  const policies = new Set(
    judgements.flatMap(({ permitted: isPermitted, policy }) => (isPermitted ? policy.policies : [])),
  );
  const undecided = judgements.flatMap((judgement) =>
    !judgement.permitted && judgement.refused.code === 'policy_error' ? [judgement.refused.detail ?? ''] : [],
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
  let units = 0;
  return permitted
    .slice(0, maxListed)
    .map(({ type, id }) => ({ type, id }))
    .filter(({ type, id }) => (units += type.length + id.length) <= maxListedUnits);
}
