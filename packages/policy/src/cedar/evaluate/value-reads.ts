import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { StringPattern } from './string-pattern.js';

/** How conditions read one value of the context. */
export interface ValueReads {
  /** Whether the value is read other than by these patterns and members. */
  readonly whole: boolean;
  /** Patterns that it is compared with, by id. */
  readonly patterns: ReadonlyMap<string, StringPattern>;
  /** Members that are read, or whose presence is asked for. */
  readonly members: ReadonlyMap<string, ValueReads>;
}

/** Bounds the time that a key takes. A value with more patterns is part of the key itself. */
const MAX_PATTERNS = 256;

const UNREAD: ValueReads = { whole: false, patterns: new Map(), members: new Map() };

/** The reads of several policies. */
export function joinValueReads(all: readonly ValueReads[]): ValueReads {
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  const names = new Set(all.flatMap(({ members }) => [...members.keys()]));
  const joined = (name: string): ValueReads =>
    joinValueReads(all.map(({ members }) => members.get(name)).filter((reads) => reads !== undefined));
  return {
    whole: all.some(({ whole }) => whole),
    patterns: new Map(all.flatMap(({ patterns }) => [...patterns])),
    members: new Map([...names].map((name) => [name, joined(name)])),
  };
}

/** Removes the members that are not read. */
export function projectValue(value: CedarValueJson, reads: ValueReads): CedarValueJson {
  if (reads.whole || !isRecord(value)) return value;
  const projected: Record<string, CedarValueJson> = {};
  for (const [name, member] of Object.entries(value)) {
    const memberReads = reads.members.get(name);
    if (memberReads !== undefined) define(projected, name, projectValue(member, memberReads));
  }
  return projected;
}

/**
 * The part of a value that can change a decision: two values with equal keys have equal decisions. A string that is
 * only compared with patterns counts by the patterns that it matches. A record counts by its members; any other value,
 * in a list, by itself. So the three kinds are never confused.
 */
export function keyOfValue(value: CedarValueJson, reads: ValueReads = UNREAD): unknown {
  if (reads.whole) return [value];
  if (typeof value === 'string') return reads.patterns.size > MAX_PATTERNS ? [value] : matchesOf(value, reads);
  if (!isRecord(value)) return [value];
  const key: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) define(key, name, keyOfValue(member, reads.members.get(name)));
  return key;
}

function matchesOf(text: string, { patterns }: ValueReads): string {
  let matches = '';
  for (const pattern of patterns.values()) matches += pattern.matches(text) ? '1' : '0';
  return matches;
}

/** Assigning `__proto__` would set the prototype. Assigning any other name takes a fifth of the time. */
function define<Value>(record: Record<string, Value>, name: string, value: Value): void {
  if (name === '__proto__') Object.defineProperty(record, name, { value, enumerable: true });
  else record[name] = value;
}

/** An entity and a value of an extension type are objects, too. */
function isRecord(value: CedarValueJson): value is Record<string, CedarValueJson> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !('__entity' in value || '__extn' in value || '__expr' in value);
}
