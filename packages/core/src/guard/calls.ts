import { randomUUID } from 'node:crypto';
import type { AuditCall, AuditOutcome } from '@countersign/audit';
import { bothSettled, ConfigError, defined } from '@countersign/common';
import type { Resource } from '@countersign/policy';
import type { Caller } from '../model/caller.js';
import { type Authorization, checkPermissionNames, type Permission } from '../model/permission.js';
import { type Refusal, type RefusalCode, refusal } from '../model/refusal.js';
import { type Filtered, type FilterOptions, readFilterOptions } from '../stages/filter/filter.js';
import type { Deciders, DecisionUnit } from './deciders.js';
import type { Outcomes } from './outcomes.js';
import type { ServedRequests } from './served-requests.js';

/** What a call is, for its records, and the approval that came with it. */
export interface CallDescription extends Omit<AuditCall, 'id'> {
  /** An approval of this call. Default: the Agent-Approval field of its request. */
  readonly approval?: string;
}

/** How a call ended. `code`: of the refusal or error that ended it. */
export interface CallResult {
  readonly result: AuditOutcome['result'];
  readonly code?: string;
}

/**
 * One call within a request. It is good until `end`, also after the response of its request has ended; what it rests on
 * is checked again for each decision.
 */
export interface Call {
  /** Identifies the call in the audit log. */
  readonly id: string;
  /** Like `guard.authorize`. */
  authorize(permission: Permission): Promise<Authorization>;
  /** Like `guard.filter`. */
  filter<Item extends Resource>(
    action: string,
    resources: readonly Item[],
    options?: FilterOptions,
  ): Promise<Filtered<Item>>;
  /** Refuses the call without asking policy; recorded, unless it has ended. Undefined: the guard only observes. */
  refuse(code: RefusalCode, detail?: string): Promise<Refusal | undefined>;
  /** Asks policy without a record, to word a refusal. Do nothing because of it: what is not recorded must not happen. */
  wouldPermit(permission: Permission): Promise<boolean>;
  /** Records how the call ended; once, and only if something was allowed. No decision is made in its name any more. */
  end(result: CallResult): Promise<void>;
}

interface CallParts {
  readonly served: ServedRequests;
  readonly outcomes: Outcomes;
  readonly deciders: Deciders;
}

/**
 * Begins a call.
 *
 * @throws ConfigError when its description is wrong.
 */
export function beginCall(caller: Caller, description: CallDescription, parts: CallParts): Call {
  const { served, outcomes, deciders } = parts;
  const id = randomUUID();
  const recorded = recordedCall(id, description);
  const request = served.find(caller);
  if (request === undefined || request.completed) return notServedCall(id);
  const unit: DecisionUnit = {
    facts: request.facts,
    call: recorded,
    received: request.received,
    approval: description.approval,
    revalidate: request.revalidate,
    allowed: false,
  };
  let ended = false;
  let pending: Promise<unknown> = Promise.resolve();

  /** From now on the records of the call stand for the request. */
  const standForRequest = (): void => {
    request.hasCalls = true;
    request.decisionRequested = true;
  };

  /** The outcome comes after it. */
  async function beforeOutcome<Result>(work: Promise<Result>): Promise<Result> {
    standForRequest();
    pending = bothSettled(pending, work);
    return await work;
  }

  /** As for requests: nothing is allowed in the name of a call that has ended meanwhile. */
  async function decide<Result extends { readonly ok: boolean }>(
    decision: () => Promise<Result>,
  ): Promise<Result | NotServed> {
    if (ended) return notServed;
    const result = await beforeOutcome(decision());
    if (isEnded()) return result.ok ? notServed : result;
    // It may go on after its request, and its outcome belongs in the log.
    if (unit.allowed) served.begin(unit, () => void call.end({ result: 'aborted' }));
    return result;
  }
  const isEnded = (): boolean => ended;

  const call: Call = {
    id,
    async authorize(permission) {
      checkPermissionNames('call.authorize', permission);
      return await decide(() => deciders.authorize(caller, permission, unit));
    },
    async filter<Item extends Resource>(action: string, items: readonly Item[], options: FilterOptions = {}) {
      const list = { action, items, requires: readFilterOptions('call.filter', options) };
      return await decide<Filtered<Item>>(() => deciders.filter(caller, list, unit));
    },
    refuse: async (code, detail) =>
      ended ? notServed.refusal : await beforeOutcome(deciders.refuse(caller, unit, refusal(code, detail))),
    wouldPermit: async (permission) => !ended && (await deciders.wouldPermit(caller, permission, unit)),
    async end({ result, code }) {
      if (ended) return;
      ended = true;
      served.end(unit);
      await outcomes.completeCall(caller, unit, pending, { result, ...(code !== undefined && { code }) });
    },
  };
  return call;
}

/** By name: the object of the application may hold the arguments of the call, and an id that its client chose. */
function recordedCall(id: string, description: CallDescription): AuditCall {
  const { method, name, argumentsDigest, traceparent, approval } = (description ?? {}) as Partial<CallDescription>;
  for (const [key, value] of Object.entries({ method, name, argumentsDigest, traceparent, approval })) {
    if (typeof value === 'string' || (value === undefined && key !== 'method')) continue;
    throw new ConfigError(`guard.begin: '${key}' must be text, like { method: 'tools/call', name: 'query' }.`);
  }
  return defined({ id, method: method as string, name, argumentsDigest, traceparent });
}

interface NotServed {
  readonly ok: false;
  readonly refusal: Refusal;
}

const notServed: NotServed = {
  ok: false,
  refusal: refusal('not_authenticated', 'no request of this caller is being served'),
};

function notServedCall(id: string): Call {
  return {
    id,
    authorize: async () => notServed,
    filter: async () => notServed,
    refuse: async () => notServed.refusal,
    wouldPermit: async () => false,
    end: async () => {},
  };
}
