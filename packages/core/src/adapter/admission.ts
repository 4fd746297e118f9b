import type { IncomingMessage } from 'node:http';
import type { Caller } from '../model/caller.js';
import type { Guard } from '../guard.js';
import type { Refusal } from '../model/refusal.js';
import type { OutcomeWatch } from './watch-outcome.js';

/** What a host remembers of a request that its guard let in. */
export interface Admission {
  readonly guard: Guard;
  /** Undefined in mixed traffic, for a request that carries none of our marks. */
  readonly caller: Caller | undefined;
  /** Notes how it comes to its end. */
  readonly outcome: OutcomeWatch | undefined;
  /** Answers with the refusal, or throws it as a `RefusalError`, as the application chose. */
  readonly refuse: (refused: Refusal) => void;
  /** Refuses a request of mixed traffic where only agents may come; recorded. */
  readonly refuseStranger: () => Promise<Refusal>;
}

// Kept beside the request, not on it: nothing that an earlier middleware or a request body puts on the object counts.
const admissions = new WeakMap<IncomingMessage, Admission>();

export function rememberAdmission(request: IncomingMessage, admission: Admission): void {
  admissions.set(request, Object.freeze(admission));
}

/** What `admit` remembered; undefined when no guard let this request in. */
export function admissionOf(request: IncomingMessage): Admission | undefined {
  return admissions.get(request);
}
