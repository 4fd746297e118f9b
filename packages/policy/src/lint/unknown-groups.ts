import type { CedarValueJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { spellingHint } from '@countersign/delegation';
import { keyFromJson, uidOf } from '../cedar/index/scope.js';
import type { KnownEntities } from '../cedar/request/entities.js';
import { TOKEN } from '../cedar/text/policy-text.js';
import type { Policy } from '../cedar/load/policy-set.js';

/** A role or a group that policies ask the caller or its user to be in, and that `entities.json` does not name. */
export interface UnknownGroup {
  /** The first policy that names it. */
  readonly policy: Policy;
  readonly message: string;
}

/**
 * Where a role or a group is misspelt nothing is in it, and what is forbidden to it is not. That a group is unknown is
 * certain, since users are in groups by `entities.json` only. Agents bring their roles with them, so that of a role it is
 * told only where `entities.json` names roles at all. What a resource is in, or has as an attribute, comes with it.
 */
export function unknownGroups(policies: readonly Policy[], entities: KnownEntities): UnknownGroup[] {
  if (entities.size === 0) return [];
  const known = namesIn(entities);
  const naming = new Map<string, Policy[]>();
  for (const policy of policies) {
    for (const name of groupsNamed(policy.text)) {
      const others = naming.get(name);
      if (others === undefined) naming.set(name, [policy]);
      else others.push(policy);
    }
  }
  const unknown = [...naming].flatMap(([key, [policy, ...others]]) => {
    const { type, id } = uidOf(key);
    const ids = known[type as keyof typeof known];
    if (policy === undefined || ids.has(id) || (type === 'Role' && ids.size === 0)) return [];
    return [{ policy, key, ids, others: others.length }];
  });
  const told = unknown.slice(0, MOST).map(({ policy, ...name }) => ({ policy, message: messageFor(name) }));
  const next = unknown[MOST];
  if (next === undefined) return told;
  const rest = `entities.json names no ${next.key}, and ${unknown.length - MOST - 1} others that policies name.`;
  return [...told, { policy: next.policy, message: rest }];
}

/** Each is compared with all that are known. */
const MOST = 50;

function namesIn(entities: KnownEntities): Readonly<Record<'Role' | 'Group', ReadonlySet<string>>> {
  const found = { Role: new Set<string>(), Group: new Set<string>() };
  for (const { uid, parents, attrs } of entities.values()) {
    for (const { type, id } of [uid, ...parents.map((parent) => uidOf(keyFromJson(parent))), ...referencesIn(attrs)]) {
      if (type === 'Role' || type === 'Group') found[type].add(id);
    }
  }
  return found;
}

/** An attribute that is an entity stands there by its type and id. */
function referencesIn(value: CedarValueJson): TypeAndId[] {
  if (typeof value !== 'object' || value === null) return [];
  const { type, id } = value as Readonly<Record<string, CedarValueJson>>;
  if (typeof type === 'string' && typeof id === 'string') return [{ type, id }];
  return Object.values(value).flatMap((member) => referencesIn(member));
}

/** What ends where `in` stands, if it is the caller or its user that is asked about: tokens with a space between. */
const ASKED = /[^.] (?:principal|context (?:\. onBehalfOf(?:Agent)?|\[ "onBehalfOf(?:Agent)?" \]))(?: is [\w :]+)?$/;
/** So many tokens before an `in` are looked at: more than the type behind an `is` has. */
const MOST_BEFORE = 40;

/** As keys. What is written with an escape is passed over. */
function groupsNamed(policy: string): ReadonlySet<string> {
  const tokens = [...policy.matchAll(TOKEN)].map(([token]) => token).filter((token) => !token.startsWith('//'));
  const named = tokens.flatMap((token, place) => {
    if (token !== 'in' || !ASKED.test(tokens.slice(Math.max(0, place - MOST_BEFORE), place).join(' '))) return [];
    const isList = tokens[place + 1] === '[';
    const end = isList ? tokens.indexOf(']', place) : place + 5;
    return keysAmong(tokens.slice(place + 1, end));
  });
  return new Set(named);
}

function keysAmong(tokens: readonly string[]): string[] {
  return tokens.flatMap((token, place) => {
    const id = tokens[place + 3] ?? '';
    const isPath = tokens[place + 1] === ':' && tokens[place + 2] === ':' && tokens[place - 1] !== ':';
    if ((token !== 'Role' && token !== 'Group') || !isPath || !/^"[^"\\]*"$/.test(id)) return [];
    return [`${token}::${id}`];
  });
}

interface Unknown {
  readonly key: string;
  /** Those of its type that are known. */
  readonly ids: ReadonlySet<string>;
  /** How many more policies name it. */
  readonly others: number;
}

function messageFor({ key, ids, others }: Unknown): string {
  const { type, id } = uidOf(key);
  const [plural, way] =
    type === 'Role' ? ['roles', 'If an agent has it, name it there, too.'] : ['groups', 'No user is in it.'];
  const hint = ids.size === 0 ? '' : ` ${spellingHint(id, [...ids], plural)}`;
  const also = others === 0 ? '' : ` ${others} more ${others === 1 ? 'policy names' : 'policies name'} it.`;
  return `entities.json names no ${key}.${hint} ${way}${also}`;
}
