import type { Caller } from '../../model/caller.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { AdmittedRequest, RequestRegister } from '../../record/request-register.js';

interface NotServed {
  readonly ok: false;
  readonly refusal: Refusal;
}

/**
 * Runs a decision for a caller whose request is being served. A caller is good for one request: once its answer has ended,
 * nothing more is done in its name, also if it ends meanwhile; and the outcome is recorded after the decision.
 */
export async function whileServed<Result extends { readonly ok: boolean }>(
  register: RequestRegister,
  caller: Caller,
  decide: (admitted: AdmittedRequest) => Promise<Result>,
): Promise<Result | NotServed> {
  const admitted = register.find(caller);
  if (admitted === undefined || admitted.completed) return notServed;
  admitted.asked = true;
  const work = decide(admitted);
  admitted.deciding = Promise.allSettled([admitted.deciding, work]);
  const result = await work;
  return result.ok && admitted.completed ? notServed : result;
}

const notServed: NotServed = {
  ok: false,
  refusal: refusal('not_authenticated', 'no request of this caller is being served'),
};
