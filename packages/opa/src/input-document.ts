import type { PolicyContext, PolicyQuery, Resource } from '@countersign/policy';

/** The `input` of a Rego policy. */
export interface InputDocument {
  readonly actor: {
    /** `user` when the subject itself is evaluated (`subjectMustAlsoBePermitted`). */
    readonly type: 'agent' | 'user';
    readonly id: string;
    readonly roles: readonly string[];
    readonly capabilities: readonly string[];
    readonly owner?: string;
  };
  /** Absent when the actor acts for itself. */
  readonly on_behalf_of?: InputPrincipal;
  readonly action: string;
  readonly resource: InputResource;
  /** Every known scope that the effective scope covers. */
  readonly scope: readonly string[];
  /** Hops from subject to actor: 0 when the actor acts for itself. History, like `via`. */
  readonly depth: number;
  /** The agents between subject and actor, oldest first. History (`via` and a greater `depth`) may forbid, never permit. */
  readonly via: readonly string[];
  /** How the last hop was proved. */
  readonly proof: PolicyContext['proof'];
  /** How the sender proved that it holds its key. */
  readonly possession: PolicyContext['possession'];
  readonly authorization_details?: PolicyContext['authorizationDetails'];
  readonly request: PolicyContext['request'];
}

export type InputPrincipal =
  | { readonly type: 'user'; readonly user_id: string }
  | { readonly type: 'agent'; readonly agent_id: string };

/** The id also stands under the name of the type: `Repo::"acme/api"` has `input.resource.repo == "acme/api"`. */
export interface InputResource {
  readonly type: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly parents: readonly { readonly type: string; readonly id: string }[];
  readonly [byType: string]: unknown;
}

/** A query as the input document of a Rego policy. */
export function inputDocument({ principal, action, resource, context }: PolicyQuery): InputDocument {
  const { scope, depth, via, proof, possession, authorizationDetails, request } = context;
  const onBehalfOf = inputPrincipal(context);
  return {
    actor: { ...principal, type: principal.type === 'User' ? 'user' : 'agent' },
    ...(onBehalfOf && { on_behalf_of: onBehalfOf }),
    action,
    resource: inputResource(resource),
    scope,
    depth,
    via,
    proof,
    possession,
    ...(authorizationDetails && { authorization_details: authorizationDetails }),
    request,
  };
}

function inputPrincipal({ onBehalfOf, onBehalfOfAgent }: PolicyContext): InputPrincipal | undefined {
  if (onBehalfOf !== undefined) return { type: 'user', user_id: onBehalfOf };
  return onBehalfOfAgent === undefined ? undefined : { type: 'agent', agent_id: onBehalfOfAgent };
}

function inputResource({ type, id, attributes = {}, parents = [] }: Resource): InputResource {
  const name = type.split('::').at(-1) ?? type;
  const byType = name.charAt(0).toLowerCase() + name.slice(1);
  // The fixed members last, so that no type can overwrite them.
  return { [byType]: id, type, id, attributes, parents };
}
