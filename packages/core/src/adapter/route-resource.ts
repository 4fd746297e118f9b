import { IncompleteResource, isResource, type Resource, whatIsWrongWith } from '@countersign/policy';

/**
 * A resource as a route makes it. Its id may be a route parameter as it is, which is undefined where its name is misspelt.
 * A whole number becomes its decimal text: a safe integer, or a `bigint`.
 */
export interface RouteResource extends Omit<Resource, 'id'> {
  readonly id: string | number | bigint | readonly string[] | undefined;
}

/** A resource that a route names as it is declared. */
export interface NamedResource extends Omit<Resource, 'id'> {
  readonly id: string | number | bigint;
}

const textsOfNothing: readonly string[] = ['undefined', 'null', 'NaN', '[object Object]'];

/**
 * Whether an id is what JavaScript writes for a value that is not there. A policy would be asked about something that
 * does not exist, and one that forbids the real thing would not match.
 */
function isTextOfNothing(id: string): boolean {
  // Of several parameters in one text any may be missing: acme/undefined. Repositories may well be called null.
  return textsOfNothing.includes(id) || id.split('/').includes('undefined');
}

/** Beyond the safe integers two ids are one number. */
function isWholeNumber(id: unknown): id is number | bigint {
  return typeof id === 'bigint' || Number.isSafeInteger(id);
}

/** Turns an id that is a whole number into its decimal text. Any other value is left as it is. */
export function withTextId(made: unknown): unknown {
  const { id } = (made ?? {}) as { readonly id?: unknown };
  return isWholeNumber(id) ? { ...(made as object), id: String(id) } : made;
}

/** What a route made, once it is sure to name something; undefined where there is no such resource. @throws IncompleteResource */
export function wholeResource(given: RouteResource | undefined): Resource | undefined {
  if (given === undefined) return undefined;
  const made = withTextId(given);
  if (!isResource(made)) throw new IncompleteResource(whatIsWrongWith(made));
  if (isTextOfNothing(made.id)) {
    throw new IncompleteResource("'id' reads as JavaScript writes what is not there: is a route parameter misspelt?");
  }
  return made;
}
