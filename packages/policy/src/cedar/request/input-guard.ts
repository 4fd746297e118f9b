import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import { containRejection, isPromise } from '@countersign/common';

const MAX_DEPTH = 32;
const MAX_SIZE = 64 * 1024;
/** Size of a value or key besides its characters, as Cedar's time grows with both. Allows 4,096 values at most. */
const VALUE_SIZE = 16;

/** Keys that Cedar's JSON does not read as data: a caller who controls them could choose an entity's identity. */
const ESCAPES: ReadonlySet<string> = new Set(['__entity', '__extn', '__expr']);

/**
 * Checks and copies every value of a request, so that the checked value is the value sent. Refuses values that make Cedar
 * throw (lone surrogates, deep nesting), as each throw leaks memory, and values that JSON changes silently (`undefined`,
 * dates, floats). The first problem is kept; after it, returned values are meaningless.
 */
export class InputGuard {
  #problem: string | undefined;
  #remaining = MAX_SIZE;

  get problem(): string | undefined {
    return this.#problem;
  }

  text(value: unknown, where: string): string {
    if (typeof value !== 'string') return this.#refuse(where, `${kindOf(value)} where a string belongs`, '');
    this.#count(VALUE_SIZE + value.length, where);
    if (/\p{Surrogate}/u.test(value)) return this.#refuse(where, 'a lone surrogate', '');
    return value;
  }

  texts(values: unknown, where: string): string[] {
    if (!Array.isArray(values)) return this.#refuse(where, `${kindOf(values)} where a list belongs`, []);
    return this.#items(values, where, (value) => this.text(value, where));
  }

  integer(value: unknown, where: string): number {
    this.#count(VALUE_SIZE, where);
    if (typeof value !== 'number') return this.#refuse(where, `${kindOf(value)} where a number belongs`, 0);
    return Number.isSafeInteger(value) ? value : this.#refuse(where, 'a number that is no safe integer', 0);
  }

  /** A record of strings, booleans, safe integers, arrays and plain objects, at most 32 levels deep. */
  record(value: unknown, where: string): Record<string, CedarValueJson> {
    if (!isPlainObject(value)) return this.#refuse(where, `${kindOf(value)} where a plain object belongs`, {});
    return this.#members(value, where, 1);
  }

  /** Reports a problem that the caller found. */
  refuse(where: string, what: string): void {
    this.#refuse(where, what, undefined);
  }

  #value(value: unknown, where: string, depth: number): CedarValueJson {
    if (depth > MAX_DEPTH) return this.#refuse(where, `nesting deeper than ${MAX_DEPTH}`, false);
    if (typeof value === 'string') return this.text(value, where);
    if (typeof value === 'number') return this.integer(value, where);
    this.#count(VALUE_SIZE, where);
    if (typeof value === 'boolean') return value;
    if (Array.isArray(value)) return this.#items(value, where, (item) => this.#value(item, where, depth + 1));
    if (isPlainObject(value)) return this.#members(value, where, depth);
    containRejection(value);
    return this.#refuse(where, kindOf(value), false);
  }

  #items<T>(values: readonly unknown[], where: string, read: (item: unknown) => T): T[] {
    const copy: T[] = [];
    // Not by iterator, which would turn a hole into undefined without a check.
    for (let index = 0; index < values.length && this.#problem === undefined; index++) {
      copy.push(read(this.#own(values, String(index), where)));
    }
    return copy;
  }

  #members(value: object, where: string, depth: number): Record<string, CedarValueJson> {
    const copy: [string, CedarValueJson][] = [];
    for (const key of Reflect.ownKeys(value)) {
      if (this.#problem !== undefined) break;
      const name = this.text(key, where);
      if (ESCAPES.has(name)) this.#refuse(where, `the reserved key '${name}'`, undefined);
      copy.push([name, this.#value(this.#own(value, name, where), where, depth + 1)]);
    }
    return Object.fromEntries(copy);
  }

  #own(value: object, key: string, where: string): unknown {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property !== undefined && (property.get !== undefined || property.enumerable !== true)) {
      return this.#refuse(where, 'a getter or hidden property', undefined);
    }
    return property?.value;
  }

  #count(size: number, where: string): void {
    this.#remaining -= size;
    if (this.#remaining < 0)
      this.#refuse(
        where,
        `more than ${MAX_SIZE} characters in all, each value and key counting ${VALUE_SIZE} more`,
        undefined,
      );
  }

  #refuse<T>(where: string, what: string, instead: T): T {
    this.#problem ??= `${where}: ${what}`;
    return instead;
  }
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (isPromise(value)) return 'a promise (is an await missing?)';
  return typeof value === 'object' ? 'an object that is not plain' : typeof value;
}
