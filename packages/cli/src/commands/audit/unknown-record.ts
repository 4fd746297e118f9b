/** A JSON object of which nothing is known. */
export type Unknown = Readonly<Record<string, unknown>>;

/** A text or a number, by the names that lead to it. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = path.reduce(memberOf, value);
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined;
}

/** Whether there is a true, by the names that lead to it. */
export function isTrueAt(value: unknown, ...path: readonly string[]): boolean {
  return path.reduce(memberOf, value) === true;
}

/** A list, by the names that lead to it; empty if there is none. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = path.reduce(memberOf, value);
  return Array.isArray(found) ? found : [];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Unknown)[name]
    : undefined;
}
