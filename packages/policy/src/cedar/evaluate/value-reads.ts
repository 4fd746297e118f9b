import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import { keyFromJson } from '../index/scope.js';
import type { StringPattern } from './string-pattern.js';

/** How conditions read one value of the context. */
export interface ValueReads {
  /** Whether the value is read other than by what follows. */
  readonly whole: boolean;
  /** Patterns that it is compared with, by id. */
  readonly patterns: ReadonlyMap<string, StringPattern>;
  /** Keys of the entities that it is compared with. */
  readonly uids: ReadonlySet<string>;
  /** Strings that it is asked to contain. */
  readonly elements: ReadonlySet<string>;
  /** Members that are read, or whose presence is asked for. */
  readonly members: ReadonlyMap<string, ValueReads>;
}

/** Bounds the time that a key takes. A value with more patterns is part of the key itself. */
const MAX_PATTERNS = 256;

const UNREAD: ValueReads = {
  whole: false,
  patterns: new Map(),
  uids: new Set(),
  elements: new Set(),
  members: new Map(),
};

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
    uids: new Set(all.flatMap(({ uids }) => [...uids])),
    elements: new Set(all.flatMap(({ elements }) => [...elements])),
    members: new Map([...names].map((name) => [name, joined(name)])),
  };
}

/** Removes the members that are not read, and the texts of lists that no condition asks for. */
export function projectValue(value: CedarValueJson, reads: ValueReads): CedarValueJson {
  return projected(value, reads, undefined);
}

/** Removes only the texts of lists that no condition asks for, so that the value stays as valid as it is. */
export function projectTexts(value: CedarValueJson, reads: ValueReads): CedarValueJson {
  return projected(value, reads, UNREAD);
}

/** A member that is not read is projected by `unread`, or removed without it. */
function projected(value: CedarValueJson, reads: ValueReads, unread: ValueReads | undefined): CedarValueJson {
  if (reads.whole) return value;
  if (Array.isArray(value)) return isTexts(value) ? asked(value, reads) : value;
  if (!isRecord(value)) return value;
  const record: Record<string, CedarValueJson> = {};
  for (const [name, member] of Object.entries(value)) {
    const memberReads = reads.members.get(name) ?? unread;
    if (memberReads !== undefined) define(record, name, projected(member, memberReads, unread));
  }
  return record;
}

/**
 * The part of a value that can change a decision: two values with equal keys have equal decisions. What is only compared
 * counts by the result: a string by the patterns that it matches, an entity by its type and by whether it is one of those
 * that it is compared with, a list of strings by those of its strings that are asked for. A record counts by its members,
 * and any other value by itself. The first item of a list keeps the kinds apart.
 */
export function keyOfValue(value: CedarValueJson, reads: ValueReads = UNREAD): unknown {
  if (reads.whole) return [WHOLE, value];
  if (typeof value === 'string') return reads.patterns.size > MAX_PATTERNS ? [WHOLE, value] : matchesOf(value, reads);
  if (Array.isArray(value)) return isTexts(value) ? [TEXTS, ...asked(value, reads)] : [WHOLE, value];
  if (isUid(value)) return isOther(value, reads) ? [OTHER_ENTITY, value.__entity.type] : [WHOLE, value];
  if (!isRecord(value)) return [WHOLE, value];
  const key: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) define(key, name, keyOfValue(member, reads.members.get(name)));
  return key;
}

const WHOLE = 0;
const TEXTS = 1;
const OTHER_ENTITY = 2;

type UidValue = { readonly __entity: { readonly type: string; readonly id: string } };

function isUid(value: CedarValueJson): value is UidValue {
  return typeof value === 'object' && value !== null && '__entity' in value;
}

/** Whether no condition can tell it from another entity of its type. A member that is read is one of the entity's own. */
function isOther(value: UidValue, { uids, members }: ValueReads): boolean {
  return members.size === 0 && !uids.has(keyFromJson(value));
}

function isTexts(values: readonly unknown[]): values is readonly string[] {
  return values.every((value) => typeof value === 'string');
}

function asked(texts: readonly string[], { elements }: ValueReads): string[] {
  return texts.filter((text) => elements.has(text)).toSorted();
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
