import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { entitiesIn } from '../request/entities.js';
import type { CedarRequest } from '../request/request.js';
import type { ResolvedRequest } from '../index/policy-index.js';
import type { PolicyReads } from './policy-reads.js';
import { keyOfValue, projectTexts, projectValue } from './value-reads.js';
import { entityKey, keyFromJson, type ResolvedEntity, uidOf } from '../index/scope.js';

/** The request that is sent to Cedar, and the key under which its evaluation is cached. */
export interface KeyedRequest {
  readonly key: string;
  /** Builds the request, which a cached evaluation does not need. */
  readonly request: () => CedarRequest;
}

/**
 * Removes what the policies do not read, from the request and from the key: Cedar's time for a call grows with the number
 * of values, and a value that no policy reads must not cause a cache miss. Not for sets with a schema, as validation
 * needs every member.
 */
export function projectRequest(
  request: CedarRequest,
  resolved: ResolvedRequest,
  reads: PolicyReads,
  groups: ReadonlySet<string>,
): KeyedRequest {
  const context = projectValue(request.context, reads.context) as CedarRequest['context'];
  const contextKey = keyOfValue(context, reads.context);
  if (readsEntities(reads, context)) {
    return { request: () => ({ ...request, context }), key: JSON.stringify({ ...request, context: contextKey }) };
  }
  const { principal, action, resource } = request;
  const read = Object.entries({ principal, action, resource }).map(([name, { type, id }]) =>
    reads.variables.has(name) ? { type, id } : { type },
  );
  // The subset already implies that the scopes hold, so that the key needs only the variables that conditions read.
  return {
    request: () => ({ ...request, context, entities: entitiesForScopes(request, resolved, groups) }),
    key: JSON.stringify([read, contextKey]),
  };
}

/**
 * Keeps every member of the request, for sets with a schema, but of a set of texts only those that a condition asks for:
 * an agent may hand over details with hundreds. The key omits texts in the context that no condition reads, and the id of
 * a resource that none reads. The schema gives texts the type String, so that they are valid whatever they say.
 */
export function validatedRequest(
  request: CedarRequest,
  reads: PolicyReads,
  enumeratedTypes: ReadonlySet<string>,
): KeyedRequest {
  const { resource, context, entities } = request;
  const sent = (): CedarRequest => ({
    ...request,
    context: projectTexts(context, reads.context) as CedarRequest['context'],
  });
  const keyed = { ...request, context: keyOfValue(context, reads.context) };
  const isUnread =
    !reads.variables.has('resource') && !readsEntities(reads, context) && !enumeratedTypes.has(resource.type);
  if (!isUnread) return { request: sent, key: JSON.stringify(keyed) };
  const key = entityKey(resource);
  const record = entities.find(({ uid }) => keyFromJson(uid) === key);
  // With parents, the id could close a cycle, which makes Cedar refuse the entities.
  if (record !== undefined && record.parents.length > 0) return { request: sent, key: JSON.stringify(keyed) };
  const others = entities.filter((entity) => entity !== record);
  const anonymous = record && { attrs: record.attrs, tags: record.tags };
  return {
    request: sent,
    key: JSON.stringify({ ...keyed, resource: resource.type, entities: others, record: anonymous }),
  };
}

/** Whether parents, attributes or tags of an entity are read, also of one that a member of the context is taken of. */
function readsEntities(reads: PolicyReads, context: CedarRequest['context']): boolean {
  if (reads.entities) return true;
  return Object.entries(context).some(([name, value]) => {
    const members = reads.context.members.get(name)?.members;
    return members !== undefined && members.size > 0 && entitiesIn(value).length > 0;
  });
}

/** Only the ancestors that the scopes name. */
function entitiesForScopes(
  { principal, action, resource }: CedarRequest,
  resolved: ResolvedRequest,
  groups: ReadonlySet<string>,
): EntityJson[] {
  const entities = new Map<string, EntityJson>();
  const add = (uid: CedarRequest['principal'], { key, ancestors }: ResolvedEntity): void => {
    const parents = [...ancestors].filter((ancestor) => ancestor !== key && groups.has(ancestor)).map(uidOf);
    if (parents.length > 0) entities.set(key, { uid, attrs: {}, parents });
  };
  add(principal, resolved.principal);
  add(action, resolved.action);
  add(resource, resolved.resource);
  return [...entities.values()];
}
