/** A JSON object of unknown shape. */
export type Unknown = Readonly<Record<string, unknown>>;

/** The text or number at a path. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = path.reduce(memberOf, value);
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined;
}

/** Whether the value at a path is true. */
export function isTrueAt(value: unknown, ...path: readonly string[]): boolean {
  return path.reduce(memberOf, value) === true;
}

/** The list at a path; empty if there is none. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = path.reduce(memberOf, value);
  return Array.isArray(found) ? found : [];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Unknown)[name]
    : undefined;
}
