import type { Call, CallResult } from '@countersign/core';
import { type Denial, denialOf } from './denial.js';
import { memberOf } from './json-rpc.js';
import type { Question } from './reading.js';
import type { RefusedReading } from './refused-readings.js';

interface Refused {
  readonly ok: false;
  readonly denial: Denial;
}

/** Refuses a call without asking policy. Undefined: the guard only observes. */
export async function refuseUnasked(
  call: Call,
  { code, detail, denial }: RefusedReading,
): Promise<Refused | undefined> {
  const refused = await call.refuse(code, detail);
  if (refused === undefined) return undefined;
  return await refuseWith(call, refused.code === code ? denial : denialOf(refused));
}

/** The refusal as it is, or the answer for what does not exist if the caller may not know of what was asked for. */
export async function concealed(
  refused: RefusedReading,
  questions: readonly Question[],
  call: Pick<Call, 'wouldPermit'>,
): Promise<RefusedReading> {
  for (const { visible, hidden } of questions) {
    const isHidden = visible !== undefined && hidden !== undefined && !(await call.wouldPermit(visible));
    if (isHidden) return { ...refused, code: 'policy_denied', denial: hidden };
  }
  return refused;
}

/** Ends a call that was refused. */
export async function refuseWith(call: Call, denial: Denial): Promise<Refused> {
  await call.end({ result: 'not_started' });
  return { ok: false, denial };
}

/** How the request ended, by its result: a tool that failed says `isError`. */
export function outcomeOf(result: unknown): CallResult {
  return { result: memberOf(result, 'isError') === true ? 'failed' : 'finished' };
}
