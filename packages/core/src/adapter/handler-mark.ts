/**
 * What a handler does for us. `refuser`: refuses agents on a route without a permit. `passing`: only goes on, to the route
 * that follows or to code that asks for its permission, in a framework above the router.
 */
export type HandlerRole = 'agentAuth' | 'permit' | 'refuser' | 'passing';

/** Identifies a handler. Each handler has its own mark, so that a wrapped copy is recognized as the same one. */
export interface HandlerMark {
  readonly role: HandlerRole;
  /** Whether it runs a method of the application, too, which may fail. Default false. */
  readonly runsMethod?: boolean;
}

/** A string: wrappers (express-async-errors, tracing) copy enumerable string keys, and lose symbols. */
const key = 'countersign';

export function markHandler<Handler extends object>(handler: Handler, mark: HandlerMark): Handler {
  return Object.defineProperty(handler, key, { value: mark, enumerable: true });
}

/** The mark of a handler, also of a bound or wrapped one. An arrow function around it has none. */
export function markOf(handler: unknown): HandlerMark | undefined {
  // Only an own property counts: a polluted prototype must not make every function a permit.
  if (typeof handler !== 'function' || !Object.hasOwn(handler, key)) return undefined;
  return (handler as unknown as Readonly<Record<typeof key, HandlerMark>>)[key];
}

/** Whether a handler asks for a permission: a `permit`, or a method with `@Permit`. */
export function isPermit(handler: unknown): boolean {
  return markOf(handler)?.role === 'permit';
}
