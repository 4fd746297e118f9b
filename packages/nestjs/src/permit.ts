import { ConfigError } from '@countersign/core';
import {
  admitEveryAgent,
  type PermissionCheck,
  permissionCheck,
  type PermitOptions,
  type ResourceOf,
} from '@countersign/core/adapter';
import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { PermitRequest } from './request.js';

// Metadata, because decorators that wrap a method copy it, as they must for those of Nest.
const permitOfMethod = 'countersign:permit';
const openClass = 'countersign:open';
const reflector = new Reflector();

/**
 * Asks policy for an action before any guard, pipe or interceptor of the application runs; the decision is recorded first.
 * A method without a permit is closed to agents.
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
  if (action === false && resource !== undefined) {
    throw new ConfigError('@Permit(false) lets every verified agent in: name no resource.');
  }
  const check = action === false ? admitEveryAgent : permissionCheck('@Permit', action, resource, options);
  const name = action === false ? '@Permit(false)' : `@Permit('${action}')`;
  return (target: object, _key?: unknown, descriptor?: unknown): void => {
    const { value: method } = (descriptor ?? {}) as PropertyDescriptor;
    if (typeof method === 'function') return declare(name, method, check);
    if (typeof target !== 'function' || descriptor !== undefined || action !== false) throw misuse(name, action);
    SetMetadata(openClass, target)(target);
  };
}

function declare(name: string, method: Function, check: PermissionCheck<never>): void {
  if (reflector.get(permitOfMethod, method) !== undefined) {
    throw new ConfigError(`${name}: the method ${method.name} has a permit already. One action for one method.`);
  }
  SetMetadata(permitOfMethod, check)(method);
}

function misuse(name: string, action: string | false): ConfigError {
  const decorated = action === false ? 'a method or a controller' : 'a method';
  return new ConfigError(`${name} decorates ${decorated}, compiled with experimentalDecorators, as Nest needs it.`);
}

/** The permit of the handler that Nest is about to run; undefined if the handler is closed to agents. */
export function permitOf(context: ExecutionContext): PermissionCheck<unknown> | undefined {
  const check = reflector.get<PermissionCheck<unknown> | undefined, string>(permitOfMethod, context.getHandler());
  const controller = context.getClass();
  // A class has the metadata of its base class, too.
  return check ?? (reflector.get<unknown, string>(openClass, controller) === controller ? admitEveryAgent : undefined);
}
