import { spellingHint } from '@countersign/delegation';
import { keyFromJson, uidOf } from '../cedar/index/scope.js';
import { type KnownEntities, referencesIn } from '../cedar/request/entities.js';
import { TOKEN } from '../cedar/text/policy-text.js';
import type { Policy } from '../cedar/load/policy-set.js';

/** A role or group in a membership test of the caller or its user that `entities.json` does not name. */
export interface UnknownGroup {
  /** The first policy that names it. */
  readonly policy: Policy;
  readonly message: string;
}

/**
 * Finds misspelt roles and groups: nothing is in them, so that their forbids have no effect. Users get groups only from
 * `entities.json`, so that an unknown group is certain. Agents bring their own roles: unknown roles are reported only if
 * `entities.json` names any role. Parents and attributes of resources come with requests and are not checked.
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
  const reported = unknown.slice(0, MAX_REPORTED).map(({ policy, ...name }) => ({ policy, message: messageFor(name) }));
  const next = unknown[MAX_REPORTED];
  if (next === undefined) return reported;
  const rest = `entities.json names no ${next.key}, and ${unknown.length - MAX_REPORTED - 1} others that policies name.`;
  return [...reported, { policy: next.policy, message: rest }];
}

/** A limit, as the spelling of each is compared with all known names. */
const MAX_REPORTED = 50;

function namesIn(entities: KnownEntities): Readonly<Record<'Role' | 'Group', ReadonlySet<string>>> {
  const found = { Role: new Set<string>(), Group: new Set<string>() };
  for (const { uid, parents, attrs } of entities.values()) {
    for (const { type, id } of [uid, ...parents.map((parent) => uidOf(keyFromJson(parent))), ...referencesIn(attrs)]) {
      if (type === 'Role' || type === 'Group') found[type].add(id);
    }
  }
  return found;
}

/** The tokens before an `in` that tests the caller or its user, joined by blanks. */
const TESTED = /[^.] (?:principal|context (?:\. onBehalfOf(?:Agent)?|\[ "onBehalfOf(?:Agent)?" \]))(?: is [\w :]+)?$/;
/** Tokens before an `in` that are considered: more than the type after an `is` has. */
const LOOKBEHIND = 40;

/** The keys of the roles and groups in membership tests. Ids with an escape are skipped. */
function groupsNamed(policy: string): ReadonlySet<string> {
  const tokens = [...policy.matchAll(TOKEN)].map(([token]) => token).filter((token) => !token.startsWith('//'));
  const named = tokens.flatMap((token, place) => {
    if (token !== 'in' || !TESTED.test(tokens.slice(Math.max(0, place - LOOKBEHIND), place).join(' '))) return [];
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
  /** The known ids of its type. */
  readonly ids: ReadonlySet<string>;
  /** Number of other policies that name it. */
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
