import { ConfigError } from '@countersign/core';
import { admitEveryAgent, permissionCheck, type PermitOptions, type ResourceOf } from '@countersign/core/adapter';
import { UseGuards } from '@nestjs/common';
import { AgentGuard } from './agent-guard.js';
import { declareOpen, declarePermit } from './declared-permit.js';
import type { PermitRequest } from './request.js';

/** A permit closes its method also in an application without `CountersignModule`. */
const guarded = UseGuards(new AgentGuard());

/**
 * Asks policy for an action before any guard, pipe or interceptor of the application runs; the decision is recorded first.
 * A method without a permit is closed to agents. Without `CountersignModule`, one with a permit answers 500.
 *
 * @throws ConfigError when an argument is wrong, or when it decorates something other than a method.
 * @example
 * ```ts
 * @Post(':owner/:repo/pulls')
 * @Permit('pr.create', ({ params }) => ({ type: 'Repo', id: `${params['owner']}/${params['repo']}` }))
 * create(@Body() pull: NewPull, @Caller() caller: Caller) { … }
 * ```
 */
export function Permit<Request = PermitRequest>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): MethodDecorator;
/**
 * `@Permit(false)` on a method, or on a controller for those of its methods that have no permit: admits every verified agent
 * without a decision. `actingUser` stays undefined there. A subclass of the controller does not inherit it.
 */
export function Permit(action: false): MethodDecorator & ClassDecorator;
export function Permit<Request>(
  action: string | false,
  resource?: ResourceOf<Request>,
  options?: PermitOptions,
): MethodDecorator & ClassDecorator {
  if (action === false && (resource !== undefined || options !== undefined)) {
    throw new ConfigError('@Permit(false) lets every verified agent in: name no resource and no options.');
  }
  const check = action === false ? admitEveryAgent : permissionCheck('@Permit', action, resource, options);
  const name = action === false ? '@Permit(false)' : `@Permit('${action}')`;
  return (target: object, key?: string | symbol, descriptor?: unknown): void => {
    const { value: method } = (descriptor ?? {}) as PropertyDescriptor;
    if (typeof method === 'function') {
      declarePermit(name, target, key as string, method, check);
      guarded(target, key as string, descriptor as PropertyDescriptor);
      return;
    }
    if (typeof target !== 'function' || descriptor !== undefined || action !== false) throw misuse(name, action);
    declareOpen(target);
    guarded(target);
  };
}

function misuse(name: string, action: string | false): ConfigError {
  const decorated = action === false ? 'a method or a controller' : 'a method';
  return new ConfigError(`${name} decorates ${decorated}, compiled with experimentalDecorators, as Nest needs it.`);
}
