import type { Resource } from '../policy/engine.js';
import { IncompleteResource, whatIsWrongWith } from '../policy/incomplete-resource.js';
import { isResource } from '../policy/is-resource.js';

/** A resource as a route makes it. Its id may be a route parameter as it is, which is undefined where its name is misspelt. */
export interface RouteResource extends Omit<Resource, 'id'> {
  readonly id: string | readonly string[] | undefined;
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

/** What a route made, once it is sure to name something; undefined where there is no such resource. @throws IncompleteResource */
export function wholeResource(made: RouteResource | undefined): Resource | undefined {
  if (made === undefined) return undefined;
  if (!isResource(made)) throw new IncompleteResource(whatIsWrongWith(made));
  if (isTextOfNothing(made.id)) {
    throw new IncompleteResource("'id' reads as JavaScript writes what is not there: is a route parameter misspelt?");
  }
  return made;
}
