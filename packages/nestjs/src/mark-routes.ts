import { markHandler, markOf } from '@countersign/core/adapter';
import { RequestMethod } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';

type Register = (...args: unknown[]) => unknown;

/**
 * Marks the handlers of controllers as passing, because `AgentGuard` runs before each. The adapter closes every other route,
 * like one of an administration page. Returns whether a route of a controller is just being registered.
 */
export function markRoutes(platform: AbstractHttpAdapter): () => boolean {
  let registering = false;
  const methods = platform as unknown as Record<string, Register | undefined>;
  for (const name of Object.values(RequestMethod)) {
    const method = String(name).toLowerCase();
    const register = methods[method]?.bind(platform);
    if (register === undefined) continue;
    const registerMarked: Register = (...args) => {
      const handler = args.at(-1);
      registering = isOfController(handler);
      if (registering) asPassing(handler as object);
      try {
        return register(...args);
      } finally {
        registering = false;
      }
    };
    // Nest calls a bound copy, and applications call the method itself. A method of a controller that they give to it has the
    // metadata of a handler of Nest, but no guard runs before it.
    methods[method] = Object.defineProperty((...args: unknown[]) => register(...args), 'bind', {
      value: () => registerMarked,
    });
  }
  return () => registering;
}

/** Marks a handler and its bound copies: Fastify binds each handler to its instance. */
export function asPassing<Handler extends object>(handler: Handler): Handler {
  if (markOf(handler) !== undefined) return handler;
  return Object.defineProperty(markHandler(handler, { role: 'passing' }), 'bind', {
    value(...args: Parameters<typeof Function.prototype.bind>) {
      return markHandler(Function.prototype.bind.apply(handler as Function, args) as object, { role: 'passing' });
    },
  });
}

/** Nest copies the metadata of a method of a controller to its handler. */
function isOfController(handler: unknown): boolean {
  if (typeof handler !== 'function') return false;
  return Reflect.hasMetadata('path', handler) && Reflect.hasMetadata('method', handler);
}
