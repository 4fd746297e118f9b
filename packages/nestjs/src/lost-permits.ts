import { ConfigError } from '@countersign/core';
import { MetadataScanner, type NestContainer } from '@nestjs/core';
import { declaresOwnPermit, declaresPermit, hasPermit, noteMethods } from './declared-permit.js';

/**
 * Notes the methods that Nest may run, so that `AgentGuard` recognizes them behind tracing. Call it while Nest creates the
 * providers: each class has an instance without members by then, and no handler exists yet.
 */
export function noteHandlers(container: NestContainer): void {
  for (const instance of membersOf(container)) {
    const prototype = Object.getPrototypeOf(instance) as object | null;
    if (prototype !== null) noteMethods(prototype);
  }
}

/**
 * Looks at the methods that Nest may run: those of controllers, gateways and resolvers.
 *
 * @throws ConfigError if one was declared with a permit that nothing would ask for.
 */
export function checkPermits(container: NestContainer): void {
  for (const instance of membersOf(container)) {
    const name = methodNamesOf(instance).find((method) => hasLostPermit(instance, method));
    if (name !== undefined) throw lost(`${instance.constructor.name}.${name}`);
  }
}

function membersOf(container: NestContainer): object[] {
  return [...container.getModules().values()].flatMap(({ controllers, providers }) => [
    ...instancesOf(controllers),
    ...instancesOf(providers),
  ]);
}

/** What Nest has made of providers or controllers. One of the scope of a request has an instance without members. */
export function instancesOf(wrappers: ReadonlyMap<unknown, { readonly instance: unknown }>): object[] {
  return [...wrappers.values()].flatMap(({ instance }) =>
    typeof instance === 'object' && instance !== null ? [instance] : [],
  );
}

/** As Nest finds methods: by the prototype, also of what a factory has made. */
export function methodNamesOf(instance: object): string[] {
  const prototype = Object.getPrototypeOf(instance) as object | null;
  return prototype === null ? [] : new MetadataScanner().getAllMethodNames(prototype);
}

/** An override without a permit has lost none: it is closed to agents. */
function hasLostPermit(instance: object, name: string): boolean {
  const prototype = Object.getPrototypeOf(instance) as Readonly<Record<string, unknown>>;
  if (!declaresPermit(prototype, name)) return false;
  // Nest runs the member of the instance, which a constructor may have replaced.
  if (hasPermit((instance as Readonly<Record<string, unknown>>)[name])) return false;
  return hasPermit(prototype[name]) || declaresOwnPermit(prototype, name);
}

function lost(method: string): ConfigError {
  return new ConfigError(
    `CountersignModule: ${method} has lost its @Permit, so nothing would ask for it. A decorator above @Permit, or the ` +
      'constructor, has replaced the method without its metadata. Put @Permit above that decorator, or copy the metadata there.',
  );
}
