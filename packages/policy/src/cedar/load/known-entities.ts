import { spellingHint } from '@countersign/delegation';
import { eachInTurn, type Turns } from '@countersign/common';
import type { Resource } from '../../engine.js';
import { InputGuard } from '../request/input-guard.js';
import type { Cedar } from '../instance/instance.js';
import { errorText } from '../instance/error-text.js';
import type { KnownEntities, PlainEntity } from '../request/entities.js';
import { resourceEntity } from '../request/request.js';
import { entityKey, keyFromJson } from '../index/scope.js';

/** Most ancestors of an entity: Cedar's time grows with their square. */
const MAX_ANCESTORS = 256;

/** Reads and checks the entities that are loaded with the policies. Adds problems. */
export async function readEntities(
  cedar: Cedar,
  entities: readonly Resource[],
  { schema, turns }: { readonly schema: string | undefined; readonly turns: Turns },
  problems: string[],
): Promise<KnownEntities> {
  const known = new Map<string, PlainEntity>();
  await eachInTurn(entities.entries(), turns, ([index, entity]) => {
    const guard = new InputGuard();
    const misspelt = unknownMember(entity);
    if (misspelt !== undefined) {
      problems.push(`entity ${index}: ${misspelt}`);
      return;
    }
    if (!isEntity(entity)) {
      problems.push(`entity ${index}: write { type, id, parents, attributes }, with parents as a list.`);
      return;
    }
    const read = resourceEntity(guard, entity);
    const key = entityKey(read.uid);
    if (read.uid.type === 'Agent')
      guard.refuse('type', "an Agent's roles come with the agent, from your agents' directory");
    if (known.has(key)) guard.refuse('id', `${key} stands there twice`);
    if (guard.problem !== undefined) problems.push(`entity ${index}: ${guard.problem}.`);
    known.set(key, read);
  });
  if (problems.length === 0) problems.push(...ancestorProblems(known));
  if (problems.length === 0 && known.size > 0) {
    const answer = cedar.checkParseEntities({ entities: [...known.values()], schema: schema ?? null });
    if (answer.type === 'failure') problems.push(...answer.errors.map((error) => `entities: ${errorText(error)}`));
  }
  return known;
}

/** Reports the first entity with too many ancestors. */
function ancestorProblems(known: KnownEntities): string[] {
  for (const [index, key] of [...known.keys()].entries()) {
    const ancestors = new Set([key]);
    for (const ancestor of ancestors) {
      for (const parent of known.get(ancestor)?.parents ?? []) ancestors.add(keyFromJson(parent));
      if (ancestors.size <= MAX_ANCESTORS + 1) continue;
      const advice = 'Use fewer levels, or fewer parents.';
      return [`entity ${index}: ${key} is in more than ${MAX_ANCESTORS} others, directly or not. ${advice}`];
    }
  }
  return [];
}

/** If misspelt parents were ignored, the entity would miss a group, and every forbid for that group. */
function unknownMember(entity: unknown): string | undefined {
  if (typeof entity !== 'object' || entity === null) return undefined;
  const parents: unknown = 'parents' in entity ? entity.parents : undefined;
  return (
    unknownIn(entity, 'member', ['type', 'id', 'parents', 'attributes']) ??
    (Array.isArray(parents) ? parents : [])
      .map((parent: unknown) => unknownIn(parent, 'member of a parent', ['type', 'id']))
      .find((problem) => problem !== undefined)
  );
}

function unknownIn(value: unknown, what: string, known: readonly string[]): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const name = Object.keys(value).find((member) => !known.includes(member));
  return name === undefined ? undefined : `unknown ${what} '${name}'. ${spellingHint(name, known, 'members')}`;
}

/** The list may come from a file, and so may have any content. */
function isEntity(value: unknown): value is Resource {
  if (typeof value !== 'object' || value === null || !('type' in value) || !('id' in value)) return false;
  const parents: unknown = 'parents' in value ? value.parents : [];
  return Array.isArray(parents) && parents.every((parent) => typeof parent === 'object' && parent !== null);
}
