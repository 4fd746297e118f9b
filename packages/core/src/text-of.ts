/** What an error says. Anything can be thrown, also what has no text; saying so must not throw again. */
export function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'an error without text';
  }
}

/** What kind of error it is, without what it says: the text may quote the request. */
export function kindOf(error: unknown): string {
  return error instanceof Error ? textOf(error.name) : typeof error;
}
