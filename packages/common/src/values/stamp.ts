/**
 * Base of a class that adds private fields to an object of another kind. Only the code of that class can read, write or
 * forge such a field, as with a WeakMap, and the object shows no trace of it. What that saves is in decision 31: little.
 * Stamp an object before it is frozen: a later engine may refuse to add fields to a frozen object.
 */
export const Stamp: new (object: object) => object = function stamp(object: object): object {
  return object;
} as unknown as new (
  object: object,
) => object;
