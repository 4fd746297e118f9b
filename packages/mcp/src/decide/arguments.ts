import { createHash } from 'node:crypto';
import type { JsonObject } from './json-rpc.js';

/**
 * base64url SHA-256 of arguments as JSON with sorted members (RFC 8785), so that equal arguments have equal digests.
 * Undefined if they are nested too deep for anybody to read.
 */
export function digestOf(given: JsonObject): string | undefined {
  try {
    return createHash('sha256')
      .update(JSON.stringify(sorted(given)))
      .digest('base64url');
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  // Without a prototype, so that a member `__proto__` stays a member.
  return Object.assign(
    Object.create(null) as object,
    Object.fromEntries(members.map(([name, one]) => [name, sorted(one)])),
  );
}

/**
 * The named arguments, as far as they were given. Undefined if one has a value that no policy can be asked about: a
 * policy that took it for absent would decide about another call than the one that runs.
 */
export function pickArguments(given: JsonObject, names: readonly string[]): Record<string, unknown> | undefined {
  const picked = names.filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]] as const);
  return picked.every(([, value]) => isExpressible(value)) ? Object.fromEntries(picked) : undefined;
}

function isExpressible(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (Array.isArray(value)) return value.every(isExpressible);
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isExpressible);
  return value !== null;
}
