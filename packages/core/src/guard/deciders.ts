import { isPromise } from '@countersign/common';
import type { Resource } from '@countersign/policy';
import type { Caller } from '../model/caller.js';
import type { Authorization, Permission } from '../model/permission.js';
import { authorize, type DecisionParts } from '../stages/authorize/authorize.js';
import { explainedRefusal } from '../stages/authorize/verdict.js';
import { type ResourceParts, resolveResource } from '../stages/authorize/resolve-resource.js';
import { filter, type Filtered } from '../stages/filter/filter.js';
import type { Revalidate } from '../stages/revocation/check-revocations.js';
import type { DecidedAction, RecordContext, Recorder } from '../record/recorder.js';

/** What a decision is made in: a request while it is served, or a call within it. */
export interface DecisionUnit extends RecordContext {
  readonly revalidate: Revalidate;
  /** Whether some decision allowed something. */
  allowed: boolean;
}

/** Decides within a unit, and records what it decides. */
export interface Deciders {
  authorize(caller: Caller, permission: Permission, unit: DecisionUnit): Promise<Authorization>;
  filter<Item extends Resource>(
    caller: Caller,
    list: { readonly action: string; readonly items: readonly Item[]; readonly requires: string | undefined },
    unit: DecisionUnit,
  ): Promise<Filtered<Item>>;
  /** Only asks: nothing is recorded, so nothing may be done because of it. */
  wouldPermit(caller: Caller, permission: Permission, unit: DecisionUnit): Promise<boolean>;
}

export interface DeciderParts extends DecisionParts, ResourceParts {
  readonly recorder: Recorder;
  readonly dangerouslyExplainRefusals: boolean;
}

export function createDeciders(parts: DeciderParts): Deciders {
  const { recorder, dangerouslyExplainRefusals } = parts;

  return {
    async authorize(caller, permission, unit) {
      const { action, requires } = permission;
      let resolved = resolveResource(permission, parts);
      if (isPromise(resolved)) resolved = await resolved;
      if ('refused' in resolved) {
        return { ok: false, refusal: await recorder.denied(caller, unit, { action }, resolved.refused) };
      }
      const { resource } = resolved;
      let verdict = authorize({ caller, action, requires, facts: unit.facts }, resource, unit.revalidate, parts);
      if (isPromise(verdict)) verdict = await verdict;
      const decided: DecidedAction = { action, resource, ...(verdict.policy && { policy: verdict.policy }) };
      if (!verdict.permitted) {
        const recorded = await recorder.denied(caller, unit, decided, verdict.refused);
        const answer = dangerouslyExplainRefusals ? explainedRefusal(recorded, verdict.policy) : recorded;
        return { ok: false, refusal: answer };
      }
      const unrecorded = await recorder.allowed(caller, unit, decided);
      if (unrecorded !== undefined) return { ok: false, refusal: unrecorded };
      unit.allowed = true;
      return { ok: true, decision: verdict.policy };
    },
    async filter(caller, { action, items, requires }, unit) {
      const verdict = await filter({ caller, action, requires, facts: unit.facts }, items, unit.revalidate, parts);
      if (!verdict.ok) {
        return { ok: false, refusal: await recorder.denied(caller, unit, { action }, verdict.refusal) };
      }
      const unrecorded = await recorder.filtered(caller, unit, verdict.list);
      if (unrecorded !== undefined) return { ok: false, refusal: unrecorded };
      // The route lists on behalf of the caller, also an empty list: its outcome is recorded.
      unit.allowed = true;
      return { ok: true, permitted: verdict.permitted };
    },
    async wouldPermit(caller, permission, { facts, revalidate }) {
      const resolved = await resolveResource(permission, parts);
      if ('refused' in resolved) return false;
      const { action, requires } = permission;
      const verdict = await authorize({ caller, action, requires, facts }, resolved.resource, revalidate, parts);
      return verdict.permitted;
    },
  };
}
