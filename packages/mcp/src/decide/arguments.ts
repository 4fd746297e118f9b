import { createHash } from 'node:crypto';
import { itemsForMember } from '@countersign/common';
import { mostMembers } from '../wire/plain-json.js';
import { isJsonObject, type JsonObject } from './json-rpc.js';

/** Levels of objects and lists. Whoever copies or searches more of them runs out of stack. */
export const deepest = 256;

/**
 * base64url SHA-256 of arguments as JSON with sorted members (RFC 8785), so that equal arguments have equal digests.
 * Undefined if they are nested too deep, hold more than the guard sorts in a moment, or hold an infinite number (`1e400`),
 * which would be written like null.
 */
export function digestOf(given: JsonObject): string | undefined {
  let members = 0;
  function written(value: unknown, depth: number): string {
    if (isInfinite(value)) throw new RangeError('an infinite number');
    if (!hasMembers(value)) return JSON.stringify(value) ?? 'null';
    if (depth > deepest) throw new RangeError('too deep');
    if (Array.isArray(value)) return writtenList(value, depth);
    const names = Object.keys(value);
    count(names.length + 1);
    // As text: an object would put names like 10 before all others.
    return `{${names
      .toSorted()
      .map((name) => `${JSON.stringify(name)}:${written((value as JsonObject)[name], depth + 1)}`)
      .join(',')}}`;
  }

  function writtenList(list: readonly unknown[], depth: number): string {
    count(1 + list.length / itemsForMember);
    // Many at once take a fraction of the time.
    if (!list.some((item) => hasMembers(item) || isInfinite(item))) return JSON.stringify(list);
    return `[${list.map((item) => written(item, depth + 1)).join(',')}]`;
  }
  function count(more: number): void {
    members += more;
    if (members > mostMembers) throw new RangeError('too many members');
  }

  try {
    return createHash('sha256').update(written(given, 1)).digest('base64url');
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function hasMembers(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isInfinite(value: unknown): boolean {
  return typeof value === 'number' && !Number.isFinite(value);
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

/** Members of params that differ when a request is repeated, or belong to a further round of it. */
const membersOfRound: readonly string[] = ['_meta', 'inputResponses', 'requestState'];

/** The params of a request that stays the same when it is repeated. */
export function argumentsIn(params: unknown): JsonObject {
  if (!isJsonObject(params)) return {};
  return Object.fromEntries(Object.entries(params).filter(([name]) => !membersOfRound.includes(name)));
}
