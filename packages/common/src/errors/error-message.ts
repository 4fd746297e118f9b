/** What an error says. Anything can be thrown, also what has no text; saying so must not throw again. */
export function errorMessage(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'an error without text';
  }
}

/** What an error says, without the name of its kind. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? errorMessage(error.message) : errorMessage(error);
}

/** The same with what caused it: `fetch` says what happened there only. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${errorMessage(error.cause)})` : '';
  return errorMessage(error) + cause;
}

/** What kind of error it is, without what it says: the text may quote the request. */
export function kindOf(error: unknown): string {
  return error instanceof Error ? errorMessage(error.name) : typeof error;
}

/** What the system calls it, like `ENOENT`; what it says, if it is no error of the system's. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? errorMessage(error.code) : errorMessage(error);
}
