import { containRejection, failed, type FailedReading } from '@countersign/common';

/** A document as JSON text, or why it cannot be written without changing what it says. */
export type WrittenJson = { readonly ok: true; readonly text: string } | FailedReading;

/**
 * Writes a document that every reader reads alike. A value that JSON would silently drop, round or replace is a problem: a
 * policy would compare something else. Each property is read once and no getter runs, so what was checked is what is
 * written.
 */
export function wellFormedJson(document: unknown): WrittenJson {
  try {
    return { ok: true, text: JSON.stringify(plainCopy(document)) };
  } catch (error) {
    // Any other error is a stack overflow.
    const problem =
      error instanceof UnwritableError ? `has ${error.message}` : 'is nested too deeply or contains itself';
    return failed(`the query ${problem}`);
  }
}

class UnwritableError extends Error {}

/** Other parsers read a lone surrogate as U+FFFD, so that two names become one. */
const loneSurrogate = /\p{Surrogate}/u;

function plainCopy(value: unknown): unknown {
  if (typeof value === 'string') return wellFormedText(value);
  if (typeof value === 'number') return exactNumber(value);
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') throw new UnwritableError('a value that JSON cannot carry');
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value) && prototype === Array.prototype) return listCopy(value);
  // JSON writes a Map, a Set or an instance of a class without its content: a Set of names as `{}`.
  if (prototype !== null && prototype !== Object.prototype) {
    containRejection(value);
    throw new UnwritableError('an object that is not plain');
  }
  return recordCopy(value);
}

function wellFormedText(text: string): string {
  if (loneSurrogate.test(text)) throw new UnwritableError('text that is not well-formed Unicode');
  return text;
}

function exactNumber(value: number): number {
  // Beyond 2^53 neighbouring integers are the same number, and -0 is written as 0.
  const isExact = Number.isInteger(value)
    ? Number.isSafeInteger(value) && !Object.is(value, -0)
    : Number.isFinite(value);
  if (!isExact) throw new UnwritableError('a number that JSON cannot carry exactly');
  return value;
}

function listCopy(list: readonly unknown[]): unknown[] {
  const copy: unknown[] = [];
  for (let index = 0; index < list.length; index++) copy.push(plainCopy(ownValue(list, String(index))));
  // Indices and `length` only: JSON would drop other properties.
  if (Reflect.ownKeys(list).length !== list.length + 1) throw new UnwritableError('a list with further properties');
  return copy;
}

function recordCopy(record: object): Readonly<Record<string, unknown>> {
  // Without a prototype, `__proto__` is an ordinary key.
  const copy = Object.create(null) as Record<string, unknown>;
  for (const key of Reflect.ownKeys(record)) {
    if (typeof key === 'symbol') throw new UnwritableError('a key that is a symbol');
    copy[wellFormedText(key)] = plainCopy(ownValue(record, key));
  }
  return copy;
}

function ownValue(holder: object, key: string): unknown {
  const property = Object.getOwnPropertyDescriptor(holder, key);
  if (property?.get !== undefined || property?.set !== undefined || property?.enumerable === false) {
    throw new UnwritableError('a getter or a hidden property');
  }
  return property?.value;
}
