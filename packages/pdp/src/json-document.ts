/** A document as JSON text, or why it cannot be written without changing what it says. */
export type WrittenJson =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string };

/**
 * Writes a document that says the same to whoever reads it. What JSON would drop, round or replace silently is a
 * problem: a policy that compares it would compare something else.
 */
export function wellFormedJson(document: unknown): WrittenJson {
  let problem: string | undefined;
  try {
    const text = JSON.stringify(document, function (this: Readonly<Record<string, unknown>>, key, value: unknown) {
      // `value` is what a `toJSON` has made of it: a date, a URL or {toJSON} would pass for a text.
      problem ??= problemOf(key) ?? problemOf(this[key]) ?? (Object.is(this[key], value) ? undefined : notPlain);
      return problem === undefined ? value : null;
    });
    return problem === undefined ? { ok: true, text } : { ok: false, problem };
  } catch {
    return { ok: false, problem: 'the query is nested too deeply or contains itself' };
  }
}

const notPlain = 'the query has an object that is not plain';

/** Other parsers read half a surrogate pair as U+FFFD, so that two names become one. */
const loneSurrogate = /\p{Surrogate}/u;

function problemOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return loneSurrogate.test(value) ? 'the query has text that is not well-formed Unicode' : undefined;
    case 'number':
      // Beyond 2^53 neighbouring integers are one and the same number, and -0 is written as 0.
      return !Number.isFinite(value) ||
        (Number.isInteger(value) && !Number.isSafeInteger(value)) ||
        Object.is(value, -0)
        ? 'the query has a number that JSON cannot carry exactly'
        : undefined;
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      return 'the query has a value that JSON cannot carry';
    default:
      return isPlain(value) ? undefined : notPlain;
  }
}

/** A Map, a Set or an instance of a class is written without what makes it one: a Set of names as `{}`. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
