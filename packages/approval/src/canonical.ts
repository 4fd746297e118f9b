import { toUSVString } from 'node:util';
import { isJsonObject } from '@countersign/common';

const maxDepth = 32;

/**
 * The JSON text of a value by RFC 8785 (JCS), so that equal values have equal digests. Undefined if it is no JSON value, is
 * nested more than 32 deep, or holds more than `maxValues` values. A member that is undefined counts as absent.
 */
export function canonicalJson(value: unknown, maxValues: number = Number.POSITIVE_INFINITY): string | undefined {
  const budget = { values: maxValues };
  return write(value, maxDepth, budget);
}

function write(value: unknown, depth: number, budget: { values: number }): string | undefined {
  budget.values -= 1;
  if (budget.values < 0) return undefined;
  if (typeof value === 'string') return isWellFormed(value) ? JSON.stringify(value) : undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : undefined;
  if (value === null || typeof value === 'boolean') return String(value);
  if (depth === 0) return undefined;
  if (Array.isArray(value))
    return joined(
      '[',
      Array.from(value, (item) => write(item, depth - 1, budget)),
      ']',
    );
  if (!isJsonObject(value)) return undefined;
  // By UTF-16 code units (RFC 8785 §3.2.3), as the default order of JavaScript.
  const names = Object.keys(value)
    .filter((name) => value[name] !== undefined)
    .toSorted();
  const members = names.map((name) => {
    const [label, content] = [write(name, 1, budget), write(value[name], depth - 1, budget)];
    return label === undefined || content === undefined ? undefined : `${label}:${content}`;
  });
  return joined('{', members, '}');
}

function joined(open: string, parts: readonly (string | undefined)[], close: string): string | undefined {
  return parts.includes(undefined) ? undefined : `${open}${parts.join(',')}${close}`;
}

/** A lone surrogate has no UTF-8, so no digest either. */
export function isWellFormed(text: string): boolean {
  return toUSVString(text) === text;
}
