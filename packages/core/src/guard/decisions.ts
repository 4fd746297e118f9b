import type { Resource } from '@countersign/policy';
import type { Caller } from '../model/caller.js';
import { type Authorization, checkPermissionNames, type Permission } from '../model/permission.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { missingScopes } from '../stages/authorize/authorize.js';
import { type Filtered, type FilterOptions, readFilterOptions } from '../stages/filter/filter.js';
import { beginCall, type Call, type CallDescription } from './calls.js';
import { createDeciders, type DeciderParts } from './deciders.js';
import type { Outcomes } from './outcomes.js';
import type { ServedRequests } from './served-requests.js';

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
  /**
   * Begins a call within the request of a caller, like one tool call of MCP. Its decisions and its outcome are recorded as
   * those of this call, and it may go on after the response of its request has ended. Call `end` on it, whatever happens.
   * If no request of the caller is being served, each of its decisions is refused with `not_authenticated`. If its request
   * ends before a call of it was decided or refused, the outcome of the request is recorded as `undecided`.
   *
   * @throws ConfigError when the description of the call is wrong.
   */
  begin(caller: Caller, call: CallDescription): Call;
  /**
   * Why a caller no longer counts: something in its chain has expired or was revoked since, or its request is not being
   * served. Ask while a long answer is being sent; a decision asks by itself. Undefined: it still counts, or the guard
   * only observes. Not recorded.
   */
  revalidate(caller: Caller): Promise<Refusal | undefined>;
  /**
   * The scopes of `requires` that the caller does not hold, however it acts: a decision that requires them would be
   * refused. Not recorded, so only the decision itself may refuse something.
   */
  missingScopes(caller: Caller, requires: string): readonly string[];
  /**
   * Refuses a caller on a route that asks for no permission, where such routes are closed to agents; recorded. Undefined:
   * the guard only observes.
   */
  unmapped(caller: Caller, route: string): Promise<Refusal | undefined>;
}

interface RecordedDecisionParts extends DeciderParts {
  readonly served: ServedRequests;
  readonly outcomes: Outcomes;
}

export function createDecisions(parts: RecordedDecisionParts): Decisions {
  const { served, outcomes } = parts;
  const deciders = createDeciders(parts);

  return {
    async authorize(caller, permission) {
      checkPermissionNames('guard.authorize', permission);
      return await served.decide(caller, (request) => deciders.authorize(caller, permission, request));
    },
    async filter<Item extends Resource>(
      caller: Caller,
      action: string,
      items: readonly Item[],
      options: FilterOptions = {},
    ) {
      const list = { action, items, requires: readFilterOptions('guard.filter', options) };
      return await served.decide<Filtered<Item>>(caller, (request) => deciders.filter(caller, list, request));
    },
    begin: (caller, call) => beginCall(caller, call, { served, outcomes, deciders }),
    async revalidate(caller) {
      const request = served.find(caller);
      if (request === undefined || request.completed) return refusal('not_authenticated');
      return parts.mode === 'observe' ? undefined : await request.revalidate();
    },
    missingScopes: (caller, requires) => missingScopes(caller, requires, parts.scopeMatch),
    async unmapped(caller, route) {
      const request = served.find(caller);
      if (request === undefined) return refusal('not_authenticated');
      request.decisionRequested = true;
      const refused = refusal('route_unmapped', `${route} asks for no permission`);
      return await deciders.refuse(caller, request, refused);
    },
  };
}
