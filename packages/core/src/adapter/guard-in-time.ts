import { ConfigError } from '@countersign/common';
import type { Guard } from '../guard.js';

/** The guard, or the promise of one until it is there. */
export type GuardInTime = () => Guard | Promise<Guard>;

/**
 * Takes a guard that may still be in the making. If it cannot be made, the process ends with the error: requests that
 * wait for it must not be all that notices.
 *
 * @throws ConfigError when it is no guard.
 */
export function guardInTime(given: Guard | Promise<Guard>): GuardInTime {
  if (!isPromise(given)) {
    const guard = checkedGuard(given);
    return () => guard;
  }
  let guard: Guard | undefined;
  const ready = given.then((created) => (guard = checkedGuard(created)));
  // Without a handler on purpose: Node ends the process for it, whoever handles `ready`.
  void ready.then(() => {});
  return () => guard ?? ready;
}

function isPromise(given: Guard | Promise<Guard>): given is Promise<Guard> {
  return typeof (given as Partial<Promise<Guard>> | undefined)?.then === 'function';
}

/** @throws ConfigError when it is no guard. */
export function checkedGuard(guard: Guard): Guard {
  if (typeof guard?.authenticate === 'function') return guard;
  throw new ConfigError('agentAuth: this is no guard. Write agentAuth(createGuard({ … })).');
}
