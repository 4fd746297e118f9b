/** What a handler does for us. */
export type HandlerRole = 'agentAuth' | 'permit' | 'refuser';

/** Says what a handler is. Each handler has its own, so that a wrapped copy is still known as the same one. */
export interface HandlerMark {
  readonly role: HandlerRole;
}

/** A text: what wraps handlers (express-async-errors, tracing) copies enumerable text keys, and loses symbols. */
const key = 'countersign';

export function markHandler<Handler extends object>(handler: Handler, mark: HandlerMark): Handler {
  return Object.defineProperty(handler, key, { value: mark, enumerable: true });
}

/** The mark of a handler, also of a bound or wrapped one. An arrow function around it has none. */
export function markOf(handler: unknown): HandlerMark | undefined {
  // Only an own member counts: a polluted prototype must not make a permit of every function.
  if (typeof handler !== 'function' || !Object.hasOwn(handler, key)) return undefined;
  return (handler as unknown as Readonly<Record<typeof key, HandlerMark>>)[key];
}

/** Whether a handler asks for a permission: a `permit`, or a method of `@Permit`. */
export function isPermit(handler: unknown): boolean {
  return markOf(handler)?.role === 'permit';
}
