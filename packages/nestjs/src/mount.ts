import { ConfigError, type Guard } from '@countersign/core';
import type { AdmissionOptions } from '@countersign/core/adapter';
import type { AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import { mountOnExpress } from './mount-on-express.js';
import { mountOnFastify } from './mount-on-fastify.js';

/** Mounts the guard on the platform of one application. */
type Mount = (platform: AbstractHttpAdapter) => void;

/**
 * Mounts the guard before everything that Nest mounts: this runs while the providers are created, and parsers, CORS and
 * middleware come later. In tests the platform comes later, too.
 *
 * @throws ConfigError if the adapter of the platform is not installed, or the platform is unknown.
 */
export async function mountOnPlatform(guard: Guard, host: HttpAdapterHost, options: AdmissionOptions): Promise<void> {
  const mount = await mounter(guard, options);
  // There is none in an application context, and none yet in a testing module.
  const platform = host.httpAdapter as AbstractHttpAdapter | null | undefined;
  if (platform !== undefined && platform !== null) mount(platform);
  onAdapterSet(host, mount);
}

/** Loads the adapters that are installed: creating an application of a testing module is synchronous. */
async function mounter(guard: Guard, options: AdmissionOptions): Promise<Mount> {
  const express = await import('@countersign/express').catch(ifMissing);
  const fastify = await import('@countersign/fastify').catch(ifMissing);
  return (platform) => {
    const name = platform.getType();
    if (name === 'express' && express !== undefined) {
      mountOnExpress(platform, guard, express.agentAuth(guard, options));
    } else if (name === 'fastify' && fastify !== undefined) {
      mountOnFastify(platform, fastify.agentAuth, { guard, ...options });
    } else if (name === 'express' || name === 'fastify') {
      throw new ConfigError(`CountersignModule: install @countersign/${name} for this application.`);
    } else {
      throw new ConfigError(`CountersignModule: '${name}' is neither express nor fastify, so nothing can be guarded.`);
    }
  };
}

function ifMissing(error: unknown): undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  // The second is the code of CommonJS, into which test runners compile this.
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
}

/** A testing module sets the platform of each application that it creates; an observable of it is new in Nest 12. */
function onAdapterSet(host: HttpAdapterHost, mount: Mount): void {
  const accessor = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(host), 'httpAdapter');
  if (accessor?.get === undefined || accessor.set === undefined) throw unsupported('HttpAdapterHost has no accessor');
  Object.defineProperty(host, 'httpAdapter', {
    configurable: true,
    get: () => accessor.get?.call(host) as unknown,
    set(platform: AbstractHttpAdapter) {
      accessor.set?.call(host, platform);
      mount(platform);
    },
  });
}

/** A version of Nest whose inside differs: the application must not start with a guard that guards nothing. */
export function unsupported(detail: string): ConfigError {
  return new ConfigError(`CountersignModule does not know this version of NestJS: ${detail}.`);
}
