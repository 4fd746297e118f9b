import type { CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import type { MatchingDetails, PolicyContext, PolicyQuery, Resource } from '../../engine.js';
import { InputGuard } from './input-guard.js';
import { entitiesIn, type KnownEntities, type PlainEntity, reachableFrom } from './entities.js';
import { entityKey } from '../index/scope.js';

/** A request in Cedar's JSON, already checked and copied. */
export interface CedarRequest {
  readonly principal: TypeAndId;
  readonly action: TypeAndId;
  readonly resource: TypeAndId;
  readonly context: Record<string, CedarValueJson>;
  readonly entities: EntityJson[];
}

type Principal = PolicyQuery['principal'];

/**
 * Translates a query to Cedar's JSON. Identifiers are always separate JSON members, never parts of Cedar text, so that no
 * id can become another type, id or clause.
 */
export function cedarRequest(
  query: PolicyQuery,
  known: KnownEntities = new Map(),
): { readonly ok: true; readonly request: CedarRequest } | { readonly ok: false; readonly problem: string } {
  const guard = new InputGuard();
  const principal = principalEntity(guard, query.principal);
  const resource = resourceEntity(guard, query.resource);
  const isItself = resource.uid.type === principal.uid.type && resource.uid.id === principal.uid.id;
  const hasDetails = query.resource.attributes !== undefined || query.resource.parents !== undefined;
  const isKnown = known.has(entityKey(resource.uid));
  const context = cedarContext(guard, query.context);
  if (isKnown && hasDetails)
    guard.refuse('resource', 'attributes or parents besides those that stand beside the policies');
  // The resource must not add roles or capabilities to agents of the chain, or groups to the user.
  if (
    hasDetails &&
    reachableFrom([principal.uid, ...principal.parents, ...entitiesIn(context)], known).has(entityKey(resource.uid))
  ) {
    guard.refuse(
      'resource',
      'an agent or user of the chain, or a role or group of one, with attributes or parents of its own',
    );
  }
  const request: CedarRequest = {
    principal: principal.uid,
    action: { type: 'Action', id: guard.text(query.action, 'action') },
    resource: resource.uid,
    context,
    // A user's groups are loaded with the policies.
    entities: [...(principal.uid.type === 'User' ? [] : [principal]), ...(isItself || isKnown ? [] : [resource])],
  };
  return guard.problem === undefined ? { ok: true, request } : { ok: false, problem: guard.problem };
}

function principalEntity(
  guard: InputGuard,
  { type = 'Agent', id, roles, capabilities, owner }: Principal,
): PlainEntity {
  if (type !== 'Agent' && type !== 'User') guard.refuse('principal.type', 'neither Agent nor User');
  return {
    uid: { type, id: guard.text(id, 'principal.id') },
    attrs: {
      capabilities: guard.texts(capabilities, 'principal.capabilities'),
      ...(owner === undefined ? {} : { owner: guard.text(owner, 'principal.owner') }),
    },
    parents: guard.texts(roles, 'principal.roles').map((role) => ({ type: 'Role', id: role })),
  };
}

export function resourceEntity(guard: InputGuard, { type, id, attributes = {}, parents = [] }: Resource): PlainEntity {
  if (parents.some((parent) => parent.type === type && parent.id === id)) guard.refuse('resource.parents', 'itself');
  return {
    uid: typeAndId(guard, { type, id }, 'resource'),
    attrs: guard.record(attributes, 'resource.attributes'),
    parents: parents.map((parent) => typeAndId(guard, parent, 'resource.parents')),
  };
}

function typeAndId(guard: InputGuard, uid: TypeAndId, where: string): TypeAndId {
  const type = guard.text(uid.type, `${where}.type`);
  // An entity of type Action with parents would add the requested action to other groups.
  if (!/^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*$/.test(type)) guard.refuse(`${where}.type`, 'no name of a type');
  if (/(?:^|::)Action$/.test(type)) guard.refuse(`${where}.type`, 'Action is no type of resource');
  return { type, id: guard.text(uid.id, `${where}.id`) };
}

function cedarContext(guard: InputGuard, context: PolicyContext): CedarRequest['context'] {
  const { onBehalfOf, onBehalfOfAgent, authorizationDetails, request } = context;
  return {
    scope: guard.texts(context.scope, 'context.scope'),
    ...(onBehalfOf === undefined
      ? {}
      : { onBehalfOf: { __entity: { type: 'User', id: guard.text(onBehalfOf, 'context.onBehalfOf') } } }),
    ...(onBehalfOfAgent === undefined
      ? {}
      : {
          onBehalfOfAgent: { __entity: { type: 'Agent', id: guard.text(onBehalfOfAgent, 'context.onBehalfOfAgent') } },
        }),
    depth: guard.integer(context.depth, 'context.depth'),
    via: guard.texts(context.via, 'context.via').map((id) => ({ __entity: { type: 'Agent', id } })),
    proof: guard.text(context.proof, 'context.proof'),
    possession: guard.text(context.possession, 'context.possession'),
    ...(authorizationDetails === undefined ? {} : { authorizationDetails: cedarDetails(guard, authorizationDetails) }),
    request: {
      method: guard.text(request.method, 'context.request.method'),
      path: guard.text(request.path, 'context.request.path'),
    },
  };
}

const detailMembers = ['types', 'actions', 'identifiers', 'locations', 'datatypes', 'privileges'] as const;

function cedarDetails(guard: InputGuard, details: MatchingDetails): Record<string, string[]> {
  const present = detailMembers.flatMap((name) => {
    const values = details[name];
    return values === undefined ? [] : [[name, guard.texts(values, `context.authorizationDetails.${name}`)] as const];
  });
  return Object.fromEntries(present);
}
