import { types } from 'node:util';

/** The text of an error. Anything can be thrown, even a value whose conversion to text throws: this never throws. */
export function errorMessage(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'an error without text';
  }
}

/** The message of an error, without its name. */
export function messageOf(error: unknown): string {
  return isError(error) ? textOf(() => error.message) : errorMessage(error);
}

/** The text of an error with its cause, which is where `fetch` puts the reason. */
export function reasonOf(error: unknown): string {
  const cause = isError(error)
    ? textOf(() => (error.cause === undefined ? '' : ` (${errorMessage(error.cause)})`))
    : '';
  return errorMessage(error) + cause;
}

/** The name of an error, without its message, which may quote the request. */
export function kindOf(error: unknown): string {
  return isError(error) ? textOf(() => error.name) : typeof error;
}

/** The code of a system error, like `ENOENT`; the text of any other error. */
export function codeOf(error: unknown): string {
  return isError(error) ? textOf(() => ('code' in error ? error.code : error)) : errorMessage(error);
}

/** Jest runs tests in a realm of their own, in which the errors of Node are not instances of `Error`. */
function isError(error: unknown): error is Error {
  return isA(error, Error) || types.isNativeError(error);
}

/** `instanceof`, also of a value that throws when it is asked. */
export function isA<Type>(value: unknown, type: new (...args: never[]) => Type): value is Type {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** The text of a member, whose getter may throw. */
function textOf(member: () => unknown): string {
  try {
    return errorMessage(member());
  } catch {
    return 'an error without text';
  }
}
