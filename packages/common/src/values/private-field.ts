import { Stamp } from './stamp.js';

/** A value of our own on objects that others made. */
export interface PrivateField<Holder extends object, Value> {
  /** Undefined if `set` was never called with this very object: a proxy of it, or one that inherits from it, has no value. */
  get(holder: Holder): Value | undefined;
  set(holder: Holder, value: Value): void;
}

/**
 * Makes a private field that can be added to any extensible object, for values that only need to be found again; see
 * `Stamp`. No other code can see, set or forge it.
 *
 * @example
 * const sizes = privateField<IncomingMessage, number>();
 * sizes.set(request, 43);
 */
export function privateField<Holder extends object, Value>(): PrivateField<Holder, Value> {
  class Field extends Stamp {
    #value: Value;

    constructor(holder: Holder, value: Value) {
      super(holder);
      this.#value = value;
    }

    static get(holder: Holder): Value | undefined {
      return #value in holder ? holder.#value : undefined;
    }

    static set(holder: Holder, value: Value): void {
      if (#value in holder) holder.#value = value;
      else void new Field(holder, value);
    }
  }
  return Field;
}
