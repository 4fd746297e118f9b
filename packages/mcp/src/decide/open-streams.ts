import type { Caller, Guard } from '@countersign/core';
import { errorCodes, type JsonRpcError } from './json-rpc.js';
import { callerKey } from './task-owners.js';

/** Streams of notifications that one caller holds open at a guard. Servers have a bound for all callers together. */
export const mostOpenStreams = 64;

export const tooManyStreams: JsonRpcError = {
  code: errorCodes.forbidden,
  message: `At most ${mostOpenStreams} streams may be open`,
};

const open = new WeakMap<object, Map<string, number>>();

/**
 * Counts a stream of notifications until the returned function is called. Undefined: its caller has too many, which was
 * recorded, and the stream must not be opened. A guard that observes records it too, and lets it open.
 */
export async function openStream(
  guard: Pick<Guard, 'begin' | 'mode'>,
  caller: Caller,
  method: string,
): Promise<(() => void) | undefined> {
  const counts = open.get(guard) ?? new Map<string, number>();
  open.set(guard, counts);
  const key = callerKey(caller);
  if ((counts.get(key) ?? 0) >= mostOpenStreams) {
    const call = guard.begin(caller, { method });
    await call.refuse('policy_denied', `more than ${mostOpenStreams} open streams`);
    await call.end({ result: guard.mode === 'observe' ? 'finished' : 'not_started' });
    return guard.mode === 'observe' ? () => {} : undefined;
  }
  counts.set(key, (counts.get(key) ?? 0) + 1);
  let isOpen = true;
  return () => {
    if (!isOpen) return;
    isOpen = false;
    const left = (counts.get(key) ?? 1) - 1;
    if (left > 0) counts.set(key, left);
    else counts.delete(key);
  };
}
