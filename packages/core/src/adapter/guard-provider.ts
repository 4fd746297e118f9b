import { type Awaitable, ConfigError } from '@countersign/common';
import type { Guard } from '../guard.js';

/** The guard, or its promise until it has been created. */
export type GuardProvider = () => Awaitable<Guard>;

/**
 * Accepts a guard or the promise of one. If the promise rejects, the process ends with its error: waiting requests must
 * not be the only sign of it.
 *
 * @throws ConfigError if it is not a guard.
 */
export function guardProvider(given: Guard | Promise<Guard>): GuardProvider {
  if (!isPromise(given)) {
    const guard = checkedGuard(given);
    return () => guard;
  }
  let guard: Guard | undefined;
  const ready = Promise.resolve(given).then((created) => (guard = checkedGuard(created)));
  // Without a rejection handler on purpose: Node then ends the process, even if someone else handles `ready`.
  void ready.then(() => {});
  return () => guard ?? ready;
}

function isPromise(given: Guard | Promise<Guard>): given is Promise<Guard> {
  return typeof (given as Partial<Promise<Guard>> | undefined)?.then === 'function';
}

/** @throws ConfigError if it is not a guard. */
export function checkedGuard(guard: Guard): Guard {
  if (typeof guard?.authenticate === 'function') return guard;
  throw new ConfigError('agentAuth: this is no guard. Write agentAuth(createGuard({ … })).');
}
