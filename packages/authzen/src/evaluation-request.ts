import type { PolicyQuery, Resource } from '@countersign/policy';
import { wellFormedJson } from '@countersign/pdp';

/** What an AuthZEN request says for every resource alike (Authorization API 1.0, §5). */
export interface SharedRequest {
  readonly subject: { readonly type: 'agent' | 'user'; readonly id: string; readonly properties: object };
  readonly action: { readonly name: string };
  readonly context: object;
}

/**
 * The subject is the agent that acts, as it was delegated to: on whose behalf and with which scope are properties of it,
 * because not every policy decision point shows `context` to its policies.
 */
export function sharedRequest({ principal, action, context }: Omit<PolicyQuery, 'resource'>): SharedRequest {
  const { type, id, ...properties } = principal;
  const { scope, depth, via, proof, possession, authorizationDetails, request } = context;
  return {
    subject: {
      type: type === 'User' ? 'user' : 'agent',
      id,
      properties: {
        ...properties,
        ...onBehalfOf(context),
        scope,
        depth,
        via,
        proof,
        possession,
        ...(authorizationDetails && { authorization_details: authorizationDetails }),
      },
    },
    action: { name: action },
    context: { request },
  };
}

function onBehalfOf({ onBehalfOf: user, onBehalfOfAgent: agent }: PolicyQuery['context']): object {
  if (user !== undefined) return { on_behalf_of: { type: 'user', id: user } };
  return agent === undefined ? {} : { on_behalf_of: { type: 'agent', id: agent } };
}

/** What would be lost or mistaken when attributes and parents come into one object. */
export function problemOf({ attributes }: Resource): string | undefined {
  if (attributes === undefined) return undefined;
  // Before they are copied: a copy has no hidden property and is always plain.
  const written = wellFormedJson(attributes);
  if (!written.ok) return written.problem;
  // It would pass for the hierarchy.
  return Object.hasOwn(attributes, 'parents') ? "a resource has an attribute called 'parents'" : undefined;
}

export function resourceOf({ type, id, attributes, parents }: Resource): object {
  const properties = { ...attributes, ...(parents === undefined ? {} : { parents }) };
  return { type, id, ...(Object.keys(properties).length === 0 ? {} : { properties }) };
}
