import { ConfigError } from '@countersign/common';

/** Leads an accessor to its object, also from a proxy of the object and from one that inherits from it. */
const itself = Symbol('countersign.itself');

/**
 * The watched object itself, given the object, a proxy of it or one that inherits from it: an application may hand any of
 * these to a router. Undefined if none of them is watched.
 */
export function watchedOf<Holder extends object>(seen: Holder | undefined): Holder | undefined {
  return (seen as { readonly [itself]?: Holder } | undefined)?.[itself];
}

/**
 * Makes a function that watches a property of an object: it calls back with each value that is assigned to it. Routers
 * assign the route that they have found, before they run it. `seen` is the object that the router has, see `watchedOf`.
 * The property becomes the object's own, even if the framework gives the object another prototype. `onRead` is called
 * before each read.
 *
 * All objects share one pair of accessors. With a pair for each, V8 would turn every request into a dictionary, in which
 * each later access to any property is a search.
 */
export function onAssigned<Holder extends object, Key extends keyof Holder>(
  property: Key,
  callback: (holder: Holder, value: Holder[Key], seen: Holder) => void,
  onRead: (holder: Holder) => void = () => {},
): (holder: Holder) => void {
  type Value = Holder[Key];
  const values = new WeakMap<Holder, Value>();
  const accessors = {
    configurable: true,
    enumerable: true,
    get(this: { readonly [itself]: Holder }): Value | undefined {
      onRead(this[itself]);
      return values.get(this[itself]);
    },
    set(this: Holder & { readonly [itself]: Holder }, assigned: Value) {
      const holder = this[itself];
      values.set(holder, assigned);
      callback(holder, assigned, this);
    },
  };
  return (holder) => {
    values.set(holder, holder[property]);
    Object.defineProperty(holder, itself, { value: holder });
    Object.defineProperty(holder, property, accessors);
  };
}

/** Shows another value of a property in place of its own for as long as `isHidden` says so. */
export function showWhile<Holder extends object, Key extends keyof Holder>(
  holder: Holder,
  property: Key,
  shown: Holder[Key],
  isHidden: () => boolean,
): void {
  let value = holder[property];
  Object.defineProperty(holder, property, {
    configurable: true,
    enumerable: true,
    get: () => (isHidden() ? shown : value),
    set(assigned: Holder[Key]) {
      value = assigned;
    },
  });
}

/**
 * What a framework keeps in an object under a symbol of its own, which it shows to nobody.
 *
 * @throws ConfigError if it is not there, as in another version.
 */
export function kept(holder: object, description: string): unknown {
  const key = Object.getOwnPropertySymbols(holder).find((symbol) => symbol.description === description);
  if (key === undefined) throw new ConfigError(`This version of the framework is not known: it has no ${description}.`);
  return Reflect.get(holder, key);
}
