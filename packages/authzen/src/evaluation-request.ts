import type { PolicyQuery, Resource } from '@countersign/policy';
import { wellFormedJson } from '@countersign/pdp';

/** The part of an AuthZEN request that all resources share (Authorization API 1.0, §5). */
export interface SharedRequest {
  readonly subject: { readonly type: 'agent' | 'user'; readonly id: string; readonly properties: object };
  readonly action: { readonly name: string };
  readonly context: object;
}

/**
 * The AuthZEN subject is the actor. On whose behalf it acts, and with which scope, are properties of the subject, because
 * not every policy decision point passes `context` to its policies.
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

/** Why attributes and parents cannot be merged into one object without loss or ambiguity; undefined if they can. */
export function problemOf({ attributes }: Resource): string | undefined {
  if (attributes === undefined) return undefined;
  // Checked before the copy, which drops hidden properties and prototypes.
  const written = wellFormedJson(attributes);
  if (!written.ok) return written.problem;
  // It would be read as the hierarchy.
  return Object.hasOwn(attributes, 'parents') ? "a resource has an attribute called 'parents'" : undefined;
}

export function resourceOf({ type, id, attributes, parents }: Resource): object {
  const properties = { ...attributes, ...(parents === undefined ? {} : { parents }) };
  return { type, id, ...(Object.keys(properties).length === 0 ? {} : { properties }) };
}
