import type { BodyVerdict, RequestBody } from '../stages/body/request-body.js';
import type { Caller } from '../model/caller.js';
import type { RequestFacts } from '../stages/address/request-facts.js';
import type { Revalidate } from '../stages/revocation/revalidate.js';

/** A request that was let in, while it is being served. */
export interface AdmittedRequest {
  readonly facts: RequestFacts;
  readonly body: RequestBody;
  /** Says whether what the caller rests on still stands. */
  readonly standing: Revalidate;
  /** Resolves to what was wrong with a streamed body in the end. */
  readonly bodyVerdict: BodyVerdict | undefined;
  /** Whether the guard was asked for a decision, whoever asked and whatever it answered. */
  asked: boolean;
  /** Whether some decision allowed something. */
  allowed: boolean;
  completed: boolean;
  /** Settles when the decisions asked for so far have been written down: the outcome comes after them. */
  deciding: Promise<unknown>;
}

/** Knows the very callers that this guard made. A forged or foreign caller is not in it and gets nothing. */
export interface RequestRegister {
  admit(caller: Caller, request: Pick<AdmittedRequest, 'facts' | 'body' | 'bodyVerdict' | 'standing'>): void;
  find(caller: Caller): AdmittedRequest | undefined;
}

export function createRequestRegister(): RequestRegister {
  const admitted = new WeakMap<Caller, AdmittedRequest>();
  return {
    admit(caller, request) {
      admitted.set(caller, {
        ...request,
        asked: false,
        allowed: false,
        completed: false,
        deciding: Promise.resolve(),
      });
    },
    find: (caller) => (typeof caller === 'object' && caller !== null ? admitted.get(caller) : undefined),
  };
}
