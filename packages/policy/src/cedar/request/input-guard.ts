import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';

const MAX_DEPTH = 32;
const MAX_SIZE = 64 * 1024;
/** What each value and key counts for besides its characters, so that 4096 of them are the most: Cedar's time goes by both. */
const VALUE_SIZE = 16;

/** Keys that Cedar's JSON reads as something else than data: whoever may write them chooses an entity's identity. */
const ESCAPES: ReadonlySet<string> = new Set(['__entity', '__extn', '__expr']);

/**
 * Everything that goes to Cedar passes here and is copied: what was checked is what is sent. A value that Cedar would
 * choke on (lone surrogates and deep nesting make it throw, and each throw costs memory for good) or silently change
 * (`undefined`, dates, floats) is a problem. The first problem is kept; what is returned then has no meaning.
 */
export class InputGuard {
  #problem: string | undefined;
  #room = MAX_SIZE;

  get problem(): string | undefined {
    return this.#problem;
  }

  text(value: unknown, where: string): string {
    if (typeof value !== 'string') return this.#refuse(where, `${kindOf(value)} where a string belongs`, '');
    this.#take(VALUE_SIZE + value.length, where);
    if (/\p{Surrogate}/u.test(value)) return this.#refuse(where, 'a lone surrogate', '');
    return value;
  }

  texts(values: unknown, where: string): string[] {
    if (!Array.isArray(values)) return this.#refuse(where, `${kindOf(values)} where a list belongs`, []);
    return this.#items(values, where, (value) => this.text(value, where));
  }

  integer(value: unknown, where: string): number {
    this.#take(VALUE_SIZE, where);
    if (typeof value !== 'number') return this.#refuse(where, `${kindOf(value)} where a number belongs`, 0);
    return Number.isSafeInteger(value) ? value : this.#refuse(where, 'a number that is no safe integer', 0);
  }

  /** A record of the application's: strings, booleans, safe integers, arrays and plain objects, at most 32 deep. */
  record(value: unknown, where: string): Record<string, CedarValueJson> {
    if (!isPlainObject(value)) return this.#refuse(where, `${kindOf(value)} where a plain object belongs`, {});
    return this.#members(value, where, 1);
  }

  /** Adds a problem of the caller's own. */
  refuse(where: string, what: string): void {
    this.#refuse(where, what, undefined);
  }

  #value(value: unknown, where: string, depth: number): CedarValueJson {
    if (depth > MAX_DEPTH) return this.#refuse(where, `nesting deeper than ${MAX_DEPTH}`, false);
    if (typeof value === 'string') return this.text(value, where);
    if (typeof value === 'number') return this.integer(value, where);
    this.#take(VALUE_SIZE, where);
    if (typeof value === 'boolean') return value;
    if (Array.isArray(value)) return this.#items(value, where, (item) => this.#value(item, where, depth + 1));
    if (isPlainObject(value)) return this.#members(value, where, depth);
    return this.#refuse(where, kindOf(value), false);
  }

  #items<T>(values: readonly unknown[], where: string, read: (item: unknown) => T): T[] {
    const copy: T[] = [];
    // Not by iterator: a hole is no value, and must not pass as one.
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

  #take(size: number, where: string): void {
    this.#room -= size;
    if (this.#room < 0)
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
  return typeof value === 'object' ? 'an object that is not plain' : typeof value;
}
