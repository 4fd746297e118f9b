/** A JSON object whose members are not validated yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Own members only: a property of the prototype must not pass for a claim. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The number of values a copy may still hold. */
export interface CopyBudget {
  values: number;
}

/**
 * Returns a frozen copy of a JSON value, or undefined if it is deeper than `depth`, exceeds the rest of the budget, or is
 * not a JSON value.
 */
export function copyJson(value: unknown, maxDepth: number, budget: CopyBudget): unknown {
  budget.values -= 1;
  if (budget.values < 0) return undefined;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'object' || maxDepth === 0) return undefined;
  if (Array.isArray(value)) {
    const copies = Array.from(value, (item) => copyJson(item, maxDepth - 1, budget));
    return copies.includes(undefined) ? undefined : Object.freeze(copies);
  }
  const members = Object.entries(value).map(([name, item]) => [name, copyJson(item, maxDepth - 1, budget)] as const);
  return members.some(([, copy]) => copy === undefined) ? undefined : Object.freeze(Object.fromEntries(members));
}

/** One text for all JSON values that are equal: the order of members carries no meaning. For values that are not deep. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name])}`);
  return `{${members.join()}}`;
}
