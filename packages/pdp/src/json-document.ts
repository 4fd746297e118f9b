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
    const text = JSON.stringify(document, (key, value: unknown) => {
      problem ??= problemOf(key) ?? problemOf(value);
      return problem === undefined ? value : null;
    });
    return problem === undefined ? { ok: true, text } : { ok: false, problem };
  } catch {
    return { ok: false, problem: 'the query is nested too deeply or contains itself' };
  }
}

/** Other parsers read half a surrogate pair as U+FFFD, so that two names become one. */
const loneSurrogate = /\p{Surrogate}/u;

function problemOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return loneSurrogate.test(value) ? 'the query has text that is not well-formed Unicode' : undefined;
    case 'number':
      // Beyond 2^53 neighbouring integers are one and the same number.
      return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))
        ? 'the query has a number that JSON cannot carry exactly'
        : undefined;
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      return 'the query has a value that JSON cannot carry';
    default:
      return isPlain(value) ? undefined : 'the query has an object that is not plain';
  }
}

/** A Map, a Set or an instance of a class is written without what makes it one: a Set of names as `{}`. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
