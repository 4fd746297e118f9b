import { isDeepStrictEqual } from 'node:util';
import { isPromise } from '@countersign/common';
import type { PolicyDecision, Resource } from '@countersign/policy';
import type { Caller } from '../model/caller.js';
import type { Authorization, Permission } from '../model/permission.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { authorize, barredFromAsking, type DecisionParts } from '../stages/authorize/authorize.js';
import type { Asked } from '../stages/authorize/question.js';
import { explainedRefusal } from '../stages/authorize/verdict.js';
import { type ResourceParts, resolveResource } from '../stages/authorize/resolve-resource.js';
import type { Approve, Consent, ConsentUnit } from '../stages/approve/approve.js';
import { filter, type Filtered, type FilteredList } from '../stages/filter/filter.js';
import type { Revalidate } from '../stages/revocation/check-revocations.js';
import type { DecidedAction, RecordContext, Recorder } from '../record/recorder.js';

/** What a decision is made in: a request while it is served, or a call within it. */
export interface DecisionUnit extends RecordContext, ConsentUnit {
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
  /** Refuses without asking policy. Undefined: the guard only observes. */
  refuse(caller: Caller, unit: DecisionUnit, refused: Refusal): Promise<Refusal | undefined>;
  /** Only asks: nothing is recorded, so nothing may be done because of it. */
  wouldPermit(caller: Caller, permission: Permission, unit: DecisionUnit): Promise<boolean>;
}

export interface DeciderParts extends DecisionParts, ResourceParts {
  readonly approve: Approve;
  readonly recorder: Recorder;
  readonly dangerouslyExplainRefusals: boolean;
  readonly mode: 'enforce' | 'observe';
}

export function createDeciders(parts: DeciderParts): Deciders {
  const { recorder, dangerouslyExplainRefusals, approve } = parts;
  const observes = parts.mode === 'observe';
  const negative = observes ? 'would_refuse' : 'deny';

  /** Records a refusal. It is the answer, unless the guard only observes. */
  async function denied(
    caller: Caller,
    unit: DecisionUnit,
    decided: DecidedAction,
    refused: Refusal,
  ): Promise<Refusal> {
    if (observes) unit.allowed = true;
    return await recorder.denied(caller, unit, decided, refused, negative);
  }

  function answered(refused: Refusal, decision?: PolicyDecision): Authorization {
    return observes
      ? { ok: true, decision: decision ?? undecided, wouldRefuse: refused }
      : { ok: false, refusal: refused };
  }

  /** Whether people consented, and the caller still counts once that is known. */
  async function consentTo(
    asked: Asked,
    permission: Permission,
    { resource, policy }: Required<Pick<DecidedAction, 'resource' | 'policy'>>,
    unit: DecisionUnit,
  ): Promise<Consent> {
    const { approval: requirement } = policy;
    if (requirement === undefined) return { ok: false, refused: refusal('policy_error', 'nothing needs approval') };
    /** People may have taken their time: what runs is decided by the policies of now, and by what the application knows now. */
    async function changedSince(): Promise<Refusal | undefined> {
      const found = await resolveResource(permission, parts);
      if ('refused' in found) return found.refused;
      if (found.resource.type !== resource.type || found.resource.id !== resource.id)
        return refusal('approval_mismatch', 'the resource is another one since people decided');
      const verdict = await authorize(asked, found.resource, unit.revalidate, parts);
      if (!verdict.permitted) return verdict.refused;
      return isDeepStrictEqual(boundOf(verdict.policy), boundOf(policy))
        ? undefined
        : refusal('approval_mismatch', 'policy changed while people decided');
    }
    const { caller, action } = asked;
    const consent = await approve({ caller, action, resource, policy, requirement, changedSince }, unit);
    const lapsed = consent.ok ? await unit.revalidate() : undefined;
    return lapsed === undefined
      ? consent
      : { ok: false, refused: lapsed, ...(consent.approval && { approval: consent.approval }) };
  }

  return {
    async authorize(caller, permission, unit) {
      const { action, requires } = permission;
      let resolved = resolveResource(permission, parts);
      if (isPromise(resolved)) resolved = await resolved;
      const asked = { caller, action, requires, facts: unit.facts };
      if ('refused' in resolved) {
        // Who may not ask at all is told so, whether or not there is such a resource.
        const barred = await barredFromAsking(asked, unit.revalidate, parts.scopeMatch);
        return answered(await denied(caller, unit, { action }, barred ?? resolved.refused));
      }
      const { resource } = resolved;
      let verdict = authorize(asked, resource, unit.revalidate, parts);
      if (isPromise(verdict)) verdict = await verdict;
      let decided: DecidedAction = { action, resource, ...(verdict.policy && { policy: verdict.policy }) };
      if (verdict.permitted && verdict.policy.approval !== undefined) {
        const consent = await consentTo(asked, permission, { resource, policy: verdict.policy }, unit);
        decided = { ...decided, ...(consent.approval && { approval: consent.approval }) };
        if (!consent.ok) verdict = { permitted: false, policy: verdict.policy, refused: consent.refused };
      }
      if (!verdict.permitted) {
        const recorded = await denied(caller, unit, decided, verdict.refused);
        return answered(
          dangerouslyExplainRefusals ? explainedRefusal(recorded, verdict.policy) : recorded,
          verdict.policy,
        );
      }
      const unrecorded = await recorder.allowed(caller, unit, decided);
      if (unrecorded !== undefined && !observes) return { ok: false, refusal: unrecorded };
      unit.allowed = true;
      return unrecorded === undefined ? { ok: true, decision: verdict.policy } : answered(unrecorded, verdict.policy);
    },
    async filter(caller, { action, items, requires }, unit) {
      const verdict = await filter({ caller, action, requires, facts: unit.facts }, items, unit.revalidate, parts);
      if (!verdict.ok) {
        const refused = await denied(caller, unit, { action }, verdict.refusal);
        return observes ? { ok: true, permitted: items } : { ok: false, refusal: refused };
      }
      const hides = verdict.permitted.length < items.length;
      const list: FilteredList =
        observes && hides ? { ...verdict.list, decision: negative, code: 'policy_denied' } : verdict.list;
      const unrecorded = await recorder.filtered(caller, unit, list);
      if (unrecorded !== undefined && !observes) return { ok: false, refusal: unrecorded };
      // The route lists on behalf of the caller, also an empty list: its outcome is recorded.
      unit.allowed = true;
      return { ok: true, permitted: observes ? items : verdict.permitted };
    },
    async refuse(caller, unit, refused) {
      const recorded = await denied(caller, unit, {}, refused);
      return observes ? undefined : recorded;
    },
    async wouldPermit(caller, permission, { facts, revalidate }) {
      const resolved = await resolveResource(permission, parts);
      if ('refused' in resolved) return false;
      const { action, requires } = permission;
      const verdict = await authorize({ caller, action, requires, facts }, resolved.resource, revalidate, parts);
      // What needs consent is not permitted by a question alone.
      return verdict.permitted && verdict.policy.approval === undefined;
    },
  };
}

/** What an approval is bound to of the decision that asks for it. */
function boundOf({ policies, policySet, approval }: PolicyDecision): Partial<PolicyDecision> {
  return { policies: [...policies], policySet, ...(approval !== undefined && { approval }) };
}

/** Of a request that was refused before policy was asked. */
const undecided: PolicyDecision = { decision: 'deny', cause: 'error', policies: [], policySet: '', errors: [] };
