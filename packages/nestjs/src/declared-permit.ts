import { ConfigError } from '@countersign/core';
import { admitEveryAgent, isPermit, type PermissionCheck } from '@countersign/core/adapter';
import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { MetadataScanner, Reflector } from '@nestjs/core';

// Metadata, because decorators that wrap a method copy it, as they must for those of Nest.
const permitOfMethod = 'countersign:permit';
const openClass = 'countersign:open';
const reflector = new Reflector();

/** Notes the permit of a method, also beside it: a decorator above may replace the method and lose its metadata. */
export function declarePermit(
  name: string,
  prototype: object,
  key: string | symbol,
  method: Function,
  check: PermissionCheck<never>,
): void {
  if (hasPermit(method) || Reflect.hasOwnMetadata(permitOfMethod, prototype, key)) {
    throw new ConfigError(`${name}: the method ${String(key)} has a permit already. One action for one method.`);
  }
  SetMetadata(permitOfMethod, check)(method);
  Reflect.defineMetadata(permitOfMethod, true, prototype, key);
}

export function hasPermit(method: unknown): boolean {
  return typeof method === 'function' && reflector.get(permitOfMethod, method) !== undefined;
}

/** Whether a member was declared with a permit, in this class or in one that it extends. */
export function declaresPermit(prototype: object, name: string): boolean {
  return Reflect.hasMetadata(permitOfMethod, prototype, name);
}

/** Whether the class that has the method declares the permit. An override has none, unless it declares its own. */
export function declaresOwnPermit(prototype: object, name: string): boolean {
  for (let owner: object | null = prototype; owner !== null; owner = Reflect.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, name)) return Reflect.hasOwnMetadata(permitOfMethod, owner, name);
  }
  return false;
}

export function declareOpen(controller: Function): void {
  SetMetadata(openClass, controller)(controller);
}

/** The permit of the handler that Nest is about to run; undefined if it has none. */
export function permitOf(context: ExecutionContext): PermissionCheck<unknown> | undefined {
  const check = reflector.get<PermissionCheck<unknown> | undefined, string>(permitOfMethod, context.getHandler());
  if (check !== undefined) return check;
  const controller = context.getClass();
  // A class has the metadata of its base class, too.
  const isOpen = reflector.get<unknown, string>(openClass, controller) === controller;
  return isOpen && !missesPermit(context) ? admitEveryAgent : undefined;
}

/** The methods of a class that no permit was declared for; undefined if none was declared for any method. */
const undeclared = new WeakMap<object, ReadonlySet<Function> | undefined>();

/**
 * Whether a handler without a permit was declared with one, or overrides a method that was. Nothing but a permit of its own
 * opens it. A handler that is no method of its class, such as one that a constructor binds, may be any of them.
 */
export function missesPermit(context: ExecutionContext): boolean {
  const handler = context.getHandler();
  if (isPermit(handler)) return false;
  const prototype = context.getClass().prototype as Readonly<Record<string, Function>>;
  if (!undeclared.has(prototype)) undeclared.set(prototype, undeclaredMethods(prototype));
  return undeclared.get(prototype)?.has(handler) === false;
}

function undeclaredMethods(prototype: Readonly<Record<string, Function>>): ReadonlySet<Function> | undefined {
  const names = new MetadataScanner().getAllMethodNames(prototype);
  const open = names.filter((name) => !declaresPermit(prototype, name));
  return open.length === names.length ? undefined : new Set(open.map((name) => prototype[name] as Function));
}
