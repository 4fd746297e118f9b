import { ConfigError } from '@countersign/core';
import { MetadataScanner, type NestContainer } from '@nestjs/core';
import { declaresOwnPermit, declaresPermit, hasPermit } from './declared-permit.js';

/**
 * Looks at the methods that Nest may run: those of controllers, gateways and resolvers.
 *
 * @throws ConfigError if one was declared with a permit that nothing would ask for.
 */
export function checkPermits(container: NestContainer): void {
  for (const { controllers, providers } of container.getModules().values()) {
    for (const instance of [...instancesOf(controllers), ...instancesOf(providers)]) {
      const name = methodNamesOf(instance).find((method) => hasLostPermit(instance, method));
      if (name !== undefined) throw lost(`${instance.constructor.name}.${name}`);
    }
  }
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
