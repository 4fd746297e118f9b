import { ConfigError } from '@countersign/core';
import { admitEveryAgent, isPermit, type PermissionCheck } from '@countersign/core/adapter';
import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { MetadataScanner, Reflector } from '@nestjs/core';

// Metadata, because decorators that wrap a method copy it, as they must for those of Nest.
const permitOfMethod = 'countersign:permit';
const openClass = 'countersign:open';
const methodItself = 'countersign:method';
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

/**
 * Notes each method without a declared permit in its own metadata. Tracing replaces the handler by a wrapper with a copy of the
 * metadata, so call this before Nest creates the handlers.
 */
export function noteMethods(prototype: object): void {
  for (const method of undeclaredMethods(prototype) ?? []) SetMetadata(methodItself, method)(method);
}

/** The method that a wrapper stands for, if it has the metadata of that method. */
function methodOf(handler: Function): Function {
  return reflector.get<Function | undefined, string>(methodItself, handler) ?? handler;
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
  const { prototype } = context.getClass() as { readonly prototype: object };
  if (!undeclared.has(prototype)) undeclared.set(prototype, undeclaredMethods(prototype));
  return undeclared.get(prototype)?.has(methodOf(handler)) === false;
}

function undeclaredMethods(prototype: object): ReadonlySet<Function> | undefined {
  const names = new MetadataScanner().getAllMethodNames(prototype);
  const open = names.filter((name) => !declaresPermit(prototype, name));
  if (open.length === names.length) return undefined;
  return new Set(open.map((name) => methodOf((prototype as Readonly<Record<string, Function>>)[name] as Function)));
}
