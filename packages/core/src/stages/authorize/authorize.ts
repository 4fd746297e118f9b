import { type ScopeMatch, scopeCovers } from '@countersign/delegation';
import type { DecidedAction, Recorder } from '../../record/recorder.js';
import type { Caller } from '../../model/caller.js';
import type { Authorization, Permission } from '../../guard.js';
import { explainedRefusal } from './explained-refusal.js';
import type { Evaluator } from './evaluate.js';
import type { Verdict } from './verdict.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { AdmittedRequest, RequestRegister } from '../../record/request-register.js';
import { whileServed } from './while-served.js';

export interface AuthorizerParts {
  readonly judge: Evaluator;
  readonly recorder: Recorder;
  readonly register: RequestRegister;
  readonly scopeMatch: ScopeMatch;
  readonly dangerouslyExplainRefusals: boolean;
}

/** Asks scope, then policy, and writes the answer down before giving it. */
export function createAuthorizer({
  judge,
  recorder,
  register,
  scopeMatch,
  dangerouslyExplainRefusals,
}: AuthorizerParts): (caller: Caller, permission: Permission) => Promise<Authorization> {
  async function decideAndRecord(
    caller: Caller,
    admitted: AdmittedRequest,
    { action, resource, requires }: Permission,
  ): Promise<Authorization> {
    const { facts } = admitted;
    async function refuse(decided: DecidedAction, refused: Refusal): Promise<Authorization> {
      const recorded = await recorder.denied(caller, facts, decided, refused);
      return {
        ok: false,
        refusal: dangerouslyExplainRefusals ? explainedRefusal(recorded, decided.policy) : recorded,
      };
    }

    const barred = await barredFromAsking(caller, admitted, requires, scopeMatch);
    if (barred !== undefined) return await refuse({ action, resource }, barred);
    const [judgement = undecided] = await judge({ caller, action, requires, facts }, [resource]);
    const decided: DecidedAction = { action, resource, ...(judgement.policy && { policy: judgement.policy }) };
    if (!judgement.permitted) return await refuse(decided, judgement.refused);
    // Policy may have waited for others: what was revoked or has ended meanwhile must not act on.
    const fallen = await admitted.standing();
    if (fallen !== undefined) return await refuse({ action, resource }, fallen);
    // No record, no action.
    const unrecorded = await recorder.allowed(caller, facts, decided);
    if (unrecorded !== undefined) return { ok: false, refusal: unrecorded };
    admitted.allowed = true;
    return { ok: true, decision: judgement.policy };
  }

  return async (caller, permission) =>
    await whileServed(register, caller, (admitted) => decideAndRecord(caller, admitted, permission));
}

const undecided: Verdict = { permitted: false, refused: refusal('policy_error', 'nothing was decided') };

/** Why policy is not even asked: something was revoked, also since the request was let in, or the scope lacks. */
export async function barredFromAsking(
  { scope }: Caller,
  { standing }: AdmittedRequest,
  requires: string | undefined,
  scopeMatch: ScopeMatch,
): Promise<Refusal | undefined> {
  const revoked = await standing();
  if (revoked !== undefined || requires === undefined || scopeCovers(scope, requires, scopeMatch)) return revoked;
  return refusal('insufficient_scope', `${requires} is not covered`, requires);
}
