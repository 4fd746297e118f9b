import { isJsonObject, type JsonObject, type Reading } from '@countersign/common';
import { isWellFormed } from './canonical.js';

/** Thrown and caught within this package: a value is not as it must be. */
class Unreadable extends Error {}

/** What a reader throws, as a value. */
export function reading<Value>(read: () => Value): Reading<Value> {
  try {
    return { ok: true, value: read() };
  } catch (thrown) {
    if (thrown instanceof Unreadable) return { ok: false, problem: thrown.message };
    throw thrown;
  }
}

/**
 * Reads the members of one object. A member that nobody reads is refused by `end`: a part of a request that is not
 * understood must not be approved.
 */
export class Members {
  readonly #object: JsonObject;
  readonly #where: string;
  readonly #left: Set<string>;

  constructor(value: unknown, where: string) {
    if (!isJsonObject(value)) throw new Unreadable(`${where} is not an object`);
    this.#object = value;
    this.#where = where;
    this.#left = new Set(Object.keys(value));
  }

  /** The value of a member; undefined if it is absent. */
  take(name: string): unknown {
    this.#left.delete(name);
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  text(name: string, is: (value: unknown) => value is string): string {
    const value = this.take(name);
    if (!is(value)) throw this.wrong(name);
    return value;
  }

  optionalText(name: string, is: (value: unknown) => value is string): string | undefined {
    return Object.hasOwn(this.#object, name) ? this.text(name, is) : undefined;
  }

  texts(name: string, most: number, is: (value: unknown) => value is string): readonly string[] {
    const value = this.take(name);
    if (!Array.isArray(value) || value.length > most || !value.every(is)) throw this.wrong(name);
    return value;
  }

  integer(name: string, least: number, most: number): number {
    const value = this.take(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw this.wrong(name);
    }
    return value;
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value {
    const value = this.take(name);
    const found = values.find((each) => each === value);
    if (found === undefined) throw this.wrong(name);
    return found;
  }

  list<Item>(name: string, least: number, most: number, read: (item: unknown, where: string) => Item): readonly Item[] {
    const value = this.take(name);
    if (!Array.isArray(value) || value.length < least || value.length > most) throw this.wrong(name);
    return value.map((item, index) => read(item, `${this.#where}.${name}[${index}]`));
  }

  wrong(name: string): Unreadable {
    return new Unreadable(`${this.#where}.${name} is missing or not as it must be`);
  }

  end(): void {
    const [unknown] = this.#left;
    // The name itself is the sender's text, which stays out of logs.
    if (unknown !== undefined) throw new Unreadable(`${this.#where} has a member that is not known`);
  }
}

export function unreadable(problem: string): Unreadable {
  return new Unreadable(problem);
}

/** Any text without a lone surrogate. */
export function isText(most: number): (value: unknown) => value is string {
  return (value): value is string => typeof value === 'string' && value.length <= most && isWellFormed(value);
}

/** 32 bytes as base64url without padding: a SHA-256. */
export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{42}[AEIMQUYcgkosw048]$/.test(value);
}
