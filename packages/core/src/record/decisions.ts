import type { Resource } from '@countersign/policy';
import type { Caller } from '../model/caller.js';
import type { Authorization, Permission } from '../model/permission.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { authorize, type DecisionParts } from '../stages/authorize/authorize.js';
import { explainedRefusal } from '../stages/authorize/explained-refusal.js';
import { type ResourceParts, resolveResource } from '../stages/authorize/resolve-resource.js';
import { filter, type Filtered, type FilterOptions } from '../stages/filter/filter.js';
import type { DecidedAction, Recorder } from './recorder.js';
import type { ServedRequest, ServedRequests } from './served-requests.js';

/** Decisions about verified callers. Each is written down before it is answered: no record, no action. */
export interface Decisions {
  /**
   * Asks policy, and writes the decision down before it answers: no record, no action. A resource that cannot be
   * determined is refused, as our own fault; one that does not exist is refused as policy would.
   */
  authorize(caller: Caller, permission: Permission): Promise<Authorization>;
  /**
   * Which of many resources the caller may do something with, in their order: for search results and other lists. One
   * record for all of them is written before it answers. A resource that policy cannot decide about is left out. If
   * policy or a source of revocations is not available, the whole list is refused.
   */
  filter<Item extends Resource>(
    caller: Caller,
    action: string,
    resources: readonly Item[],
    options?: FilterOptions,
  ): Promise<Filtered<Item>>;
  /** Refuses a caller on a route that asks for no permission, where such routes are closed to agents; recorded. */
  unmapped(caller: Caller, route: string): Promise<Refusal>;
}

interface RecordedDecisionParts extends DecisionParts, ResourceParts {
  readonly recorder: Recorder;
  readonly served: ServedRequests;
  readonly dangerouslyExplainRefusals: boolean;
}

export function createDecisions(parts: RecordedDecisionParts): Decisions {
  const { recorder, served, dangerouslyExplainRefusals } = parts;

  async function decide(caller: Caller, permission: Permission, request: ServedRequest): Promise<Authorization> {
    const { action, requires } = permission;
    const { facts, revalidate } = request;
    const resolved = await resolveResource(permission, parts);
    if ('refused' in resolved) {
      return { ok: false, refusal: await recorder.denied(caller, facts, { action }, resolved.refused) };
    }
    const { resource } = resolved;
    const verdict = await authorize({ caller, action, requires, facts }, resource, revalidate, parts);
    const decided: DecidedAction = { action, resource, ...(verdict.policy && { policy: verdict.policy }) };
    if (!verdict.permitted) {
      const recorded = await recorder.denied(caller, facts, decided, verdict.refused);
      const answer = dangerouslyExplainRefusals ? explainedRefusal(recorded, verdict.policy) : recorded;
      return { ok: false, refusal: answer };
    }
    const unrecorded = await recorder.allowed(caller, facts, decided);
    if (unrecorded !== undefined) return { ok: false, refusal: unrecorded };
    request.allowed = true;
    return { ok: true, decision: verdict.policy };
  }

  return {
    authorize: (caller, permission) => served.decide(caller, (request) => decide(caller, permission, request)),
    async filter<Item extends Resource>(
      caller: Caller,
      action: string,
      items: readonly Item[],
      { requires }: FilterOptions = {},
    ) {
      return await served.decide<Filtered<Item>>(caller, async (request) => {
        const { facts, revalidate } = request;
        const verdict = await filter({ caller, action, requires, facts }, items, revalidate, parts);
        if (!verdict.ok) {
          return { ok: false, refusal: await recorder.denied(caller, facts, { action }, verdict.refusal) };
        }
        const unrecorded = await recorder.filtered(caller, facts, verdict.list);
        if (unrecorded !== undefined) return { ok: false, refusal: unrecorded };
        // The route lists on behalf of the caller, also an empty list: its outcome is recorded.
        request.allowed = true;
        return { ok: true, permitted: verdict.permitted };
      });
    },
    async unmapped(caller, route) {
      const request = served.find(caller);
      if (request === undefined) return refusal('not_authenticated');
      request.decisionRequested = true;
      const refused = refusal('route_unmapped', `${route} asks for no permission`);
      return await recorder.denied(caller, request.facts, {}, refused);
    },
  };
}
