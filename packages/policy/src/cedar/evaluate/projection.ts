import type { CedarValueJson, EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { entitiesIn } from '../request/entities.js';
import type { CedarRequest } from '../request/request.js';
import type { PlacedRequest } from '../index/policy-index.js';
import type { PolicyReads } from './policy-reads.js';
import { entityKey, keyFromJson, type PlacedEntity, uidOf } from '../index/scope.js';

/** What is sent to Cedar, and by what its answer is remembered. */
export interface Question {
  readonly request: CedarRequest;
  readonly key: string;
}

/**
 * Leaves out what the policies cannot see: Cedar's time for a call goes by the values that it is given. Not with a
 * schema, which wants every request whole.
 */
export function project(
  request: CedarRequest,
  placed: PlacedRequest,
  reads: PolicyReads,
  groups: ReadonlySet<string>,
): Question {
  const context = projectContext(request.context, reads);
  if (readsEntities(reads, context)) {
    const projected = { ...request, context };
    return { request: projected, key: JSON.stringify(projected) };
  }
  const entities = entitiesForScopes(request, placed, groups);
  const { principal, action, resource } = request;
  const seen = Object.entries({ principal, action, resource }).map(([name, { type, id }]) =>
    reads.variables.has(name) ? { type, id } : { type },
  );
  // The scopes hold, since that is how the policies were found. What else of the three is seen is in the key.
  return { request: { ...request, context, entities }, key: JSON.stringify([seen, context]) };
}

/** The whole request, for policies with a schema. The key leaves out the id of a resource that nothing looks at. */
export function whole(request: CedarRequest, reads: PolicyReads, enumeratedTypes: ReadonlySet<string>): Question {
  const { resource, context, entities } = request;
  const hidden =
    !reads.variables.has('resource') && !readsEntities(reads, context) && !enumeratedTypes.has(resource.type);
  if (!hidden) return { request, key: JSON.stringify(request) };
  const key = entityKey(resource);
  const record = entities.find(({ uid }) => keyFromJson(uid) === key);
  // With parents, its id could decide whether there is a circle, and so whether Cedar takes the entities at all.
  if (record !== undefined && record.parents.length > 0) return { request, key: JSON.stringify(request) };
  const others = entities.filter((entity) => entity !== record);
  const { type } = resource;
  const seen = record && { attrs: record.attrs, tags: record.tags };
  return { request, key: JSON.stringify({ ...request, resource: type, entities: others, record: seen }) };
}

function projectContext(context: CedarRequest['context'], reads: PolicyReads): CedarRequest['context'] {
  if (reads.context === 'all') return context;
  const read = reads.context;
  return Object.fromEntries(Object.entries(context).filter(([name]) => read.has(name)));
}

function readsEntities(reads: PolicyReads, context: Record<string, CedarValueJson>): boolean {
  if (reads.entities) return true;
  if (reads.within.size === 0) return false;
  return Object.entries(context).some(([name, value]) => reads.within.has(name) && entitiesIn(value).length > 0);
}

/** No more than makes the scopes hold. */
function entitiesForScopes(
  { principal, action, resource }: CedarRequest,
  placed: PlacedRequest,
  groups: ReadonlySet<string>,
): EntityJson[] {
  const entities = new Map<string, EntityJson>();
  const add = (uid: CedarRequest['principal'], { key, ancestors }: PlacedEntity): void => {
    const parents = [...ancestors].filter((ancestor) => ancestor !== key && groups.has(ancestor)).map(uidOf);
    if (parents.length > 0) entities.set(key, { uid, attrs: {}, parents });
  };
  add(principal, placed.principal);
  add(action, placed.action);
  add(resource, placed.resource);
  return [...entities.values()];
}
