import { isStringOrUri } from './identifier.js';

const MAX_AUDIENCES = 16;

/** `aud` (RFC 7519 §4.1.3) as a list of at least one; undefined if it is anything else. */
export function readAudience(value: unknown): readonly string[] | undefined {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0 || values.length > MAX_AUDIENCES) return undefined;
  return values.every(isStringOrUri) ? [...values] : undefined;
}

/** NumericDate (RFC 7519 §2) without the fractions that it would allow: no string, NaN, Infinity or 1e308 passes. */
export function isSeconds(value: unknown): value is number {
  return isWholeNumber(value);
}

/** A whole number that is 0 or more. */
export function isWholeNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Reads a claim that may be absent. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}
