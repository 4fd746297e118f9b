import { containRejection, failed, type FailedReading } from '@countersign/common';

/** A document as JSON text, or why it cannot be written without changing what it says. */
export type WrittenJson = { readonly ok: true; readonly text: string } | FailedReading;

/** Most characters of one question. Cedar has the same bound; servers refuse far more (Cerbos 4 MiB). */
export const maxQuestionCharacters = 65_536;

/**
 * Writes a document that every reader reads alike. A value that JSON would silently drop, round or replace is a problem: a
 * policy would compare something else. Each property is read once and no getter runs, so what was checked is what is
 * written. A text of more than `maxCharacters` is a problem, too: a long question must not delay or block others.
 */
export function wellFormedJson(document: unknown, maxCharacters: number = maxQuestionCharacters): WrittenJson {
  const budget: Budget = { max: maxCharacters, left: maxCharacters };
  try {
    const text = JSON.stringify(plainCopy(document, budget));
    // The budget does not count punctuation and escapes.
    if (text.length > maxCharacters) throw tooLong(budget);
    return { ok: true, text };
  } catch (error) {
    // Any other error is a stack overflow.
    const problem =
      error instanceof UnwritableError ? `has ${error.message}` : 'is nested too deeply or contains itself';
    return failed(`the query ${problem}`);
  }
}

class UnwritableError extends Error {}

/** Characters that may still be written. Ends the copy of a long document early. */
interface Budget {
  readonly max: number;
  left: number;
}

function spend(budget: Budget, characters: number): void {
  budget.left -= characters;
  if (budget.left < 0) throw tooLong(budget);
}

function tooLong({ max }: Budget): UnwritableError {
  return new UnwritableError(`more than ${max} characters`);
}

/** Other parsers read a lone surrogate as U+FFFD, so that two names become one. */
const loneSurrogate = /\p{Surrogate}/u;

function plainCopy(value: unknown, budget: Budget): unknown {
  if (typeof value === 'string') return wellFormedText(value, budget);
  spend(budget, 1);
  if (typeof value === 'number') return exactNumber(value);
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') throw new UnwritableError('a value that JSON cannot carry');
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value) && prototype === Array.prototype) return listCopy(value, budget);
  // JSON writes a Map, a Set or an instance of a class without its content: a Set of names as `{}`.
  if (prototype !== null && prototype !== Object.prototype) {
    containRejection(value);
    throw new UnwritableError('an object that is not plain');
  }
  return recordCopy(value, budget);
}

function wellFormedText(text: string, budget: Budget): string {
  spend(budget, text.length + 2);
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

function listCopy(list: readonly unknown[], budget: Budget): unknown[] {
  const copy: unknown[] = [];
  for (let index = 0; index < list.length; index++) copy.push(plainCopy(ownValue(list, String(index)), budget));
  // Indices and `length` only: JSON would drop other properties.
  if (Reflect.ownKeys(list).length !== list.length + 1) throw new UnwritableError('a list with further properties');
  return copy;
}

function recordCopy(record: object, budget: Budget): Readonly<Record<string, unknown>> {
  // Without a prototype, `__proto__` is an ordinary key.
  const copy = Object.create(null) as Record<string, unknown>;
  for (const key of Reflect.ownKeys(record)) {
    if (typeof key === 'symbol') throw new UnwritableError('a key that is a symbol');
    copy[wellFormedText(key, budget)] = plainCopy(ownValue(record, key), budget);
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
