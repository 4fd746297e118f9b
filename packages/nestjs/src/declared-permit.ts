import { ConfigError } from '@countersign/core';
import { admitEveryAgent, type PermissionCheck } from '@countersign/core/adapter';
import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

// Metadata, because decorators that wrap a method copy it, as they must for those of Nest.
const permitOfMethod = 'countersign:permit';
const openClass = 'countersign:open';
const reflector = new Reflector();

export function declarePermit(name: string, method: Function, check: PermissionCheck<never>): void {
  if (hasPermit(method)) {
    throw new ConfigError(`${name}: the method ${method.name} has a permit already. One action for one method.`);
  }
  SetMetadata(permitOfMethod, check)(method);
}

function hasPermit(method: Function): boolean {
  return reflector.get(permitOfMethod, method) !== undefined;
}

/** Notes the permit beside the method, too, in case a decorator above loses the metadata of the method. */
export function declareMember(prototype: object, name: string | symbol): void {
  Reflect.defineMetadata(permitOfMethod, true, prototype, name);
}

/** Whether a method has a permit, or had one before a decorator replaced it. */
export function declaresPermit(prototype: object, name: string): boolean {
  const method = (prototype as Readonly<Record<string, Function>>)[name];
  return Reflect.hasMetadata(permitOfMethod, prototype, name) || (method !== undefined && hasPermit(method));
}

export function declareOpen(controller: Function): void {
  SetMetadata(openClass, controller)(controller);
}

/** The permit of the handler that Nest is about to run; undefined if the handler is closed to agents. */
export function permitOf(context: ExecutionContext): PermissionCheck<unknown> | undefined {
  const check = reflector.get<PermissionCheck<unknown> | undefined, string>(permitOfMethod, context.getHandler());
  const controller = context.getClass();
  // A class has the metadata of its base class, too.
  return check ?? (reflector.get<unknown, string>(openClass, controller) === controller ? admitEveryAgent : undefined);
}
