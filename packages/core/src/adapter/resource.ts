import { NoSuchResource } from '../model/permission.js';
import { containRejections } from '@countersign/common';
import { IncompleteResource, readNamedResource, type Resource } from '@countersign/policy';

/**
 * A resource as a route's function returns it. Its id may be a route parameter, which is undefined if its name is misspelt.
 * A safe integer or a `bigint` becomes its decimal text. For any other number there is no such resource.
 */
export interface RouteResource extends Omit<Resource, 'id'> {
  readonly id: string | number | bigint | readonly string[] | undefined;
}

/** A constant resource of a route. */
export interface NamedResource extends Omit<Resource, 'id'> {
  readonly id: string | number | bigint;
}

const textsOfMissing: readonly string[] = ['undefined', 'null', 'NaN', '[object Object]'];

/**
 * Whether an id is the text of a missing value in JavaScript. Policy would evaluate a resource that does not exist, and a
 * forbid on the real one would not match.
 */
export function isTextOfMissing(id: string): boolean {
  // One of several parameters may be missing (acme/undefined). A repository may really be called null.
  return textsOfMissing.includes(id) || id.split('/').includes('undefined');
}

/** Beyond the safe integers, two ids can be the same number. */
function isWholeNumber(id: unknown): id is number | bigint {
  return typeof id === 'bigint' || Number.isSafeInteger(id);
}

/** The resource that a route names. @throws IncompleteResource @throws NoSuchResource */
export function namedResource(given: unknown): Resource {
  return readNamedResource(withTextId(given), given);
}

/** Turns an integer id into its decimal text, and leaves any other value unchanged. */
function withTextId(made: unknown): unknown {
  const { type, id, attributes, parents } = (made ?? {}) as Partial<RouteResource>;
  if (isWholeNumber(id)) return { type, id: String(id), attributes, parents };
  if (typeof id !== 'number') return made;
  containRejections([type, attributes, parents]);
  // A client chose it, where a handler converts a parameter.
  throw new NoSuchResource(`its id is ${Number.isNaN(id) ? 'NaN, as of a misspelt parameter' : 'no safe integer'}`);
}

/**
 * Checks that the resource of a route names something; undefined if there is no such resource. `target` is that of the
 * request: if it says `undefined` itself, the id comes from the client, and the application has made no mistake.
 *
 * @throws IncompleteResource
 * @throws NoSuchResource
 */
export function wholeResource(given: RouteResource | undefined, target = ''): Resource | undefined {
  if (given === undefined) return undefined;
  const made = namedResource(given);
  if (isTextOfMissing(made.id)) {
    if (textsOfMissing.some((text) => decoded(target).includes(text))) return undefined;
    throw new IncompleteResource("'id' reads as JavaScript writes what is not there: is a route parameter misspelt?");
  }
  return made;
}

function decoded(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}
