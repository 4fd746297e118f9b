import type { Caller } from '../model/caller.js';
import { type Refusal, refusal } from '../model/refusal.js';
import type { RequestBody } from '../model/request-body.js';
import type { RequestFacts } from '../model/request.js';
import type { Revalidate } from '../stages/revocation/check-revocations.js';

/** A request that was let in, while it is being served. */
export interface ServedRequest {
  readonly facts: RequestFacts;
  readonly body: RequestBody;
  readonly revalidate: Revalidate;
  /** Whether the guard was asked for a decision, whatever it answered. */
  decisionRequested: boolean;
  /** Whether some decision allowed something. */
  allowed: boolean;
  completed: boolean;
  /** Settles when the decisions under way have been recorded: the outcome comes after them. */
  pendingDecisions: Promise<unknown>;
}

interface NotServed {
  readonly ok: false;
  readonly refusal: Refusal;
}

/** Knows the very callers that this guard made. A forged or foreign caller is not among them and gets nothing. */
export class ServedRequests {
  readonly #requests = new WeakMap<Caller, ServedRequest>();

  add(caller: Caller, request: Pick<ServedRequest, 'facts' | 'body' | 'revalidate'>): void {
    this.#requests.set(caller, {
      ...request,
      decisionRequested: false,
      allowed: false,
      completed: false,
      pendingDecisions: Promise.resolve(),
    });
  }

  find(caller: Caller): ServedRequest | undefined {
    return typeof caller === 'object' && caller !== null ? this.#requests.get(caller) : undefined;
  }

  /**
   * Runs a decision for a caller whose request is being served. A caller is good for one request: once its answer has
   * ended, nothing more is done in its name, also if it ends meanwhile.
   */
  async decide<Result extends { readonly ok: boolean }>(
    caller: Caller,
    decision: (request: ServedRequest) => Promise<Result>,
  ): Promise<Result | NotServed> {
    const request = this.find(caller);
    if (request === undefined || request.completed) return notServed;
    request.decisionRequested = true;
    const work = decision(request);
    request.pendingDecisions = Promise.allSettled([request.pendingDecisions, work]);
    const result = await work;
    return result.ok && request.completed ? notServed : result;
  }
}

const notServed: NotServed = {
  ok: false,
  refusal: refusal('not_authenticated', 'no request of this caller is being served'),
};
