import { failed } from '@countersign/common';
import type { PolicyQuery, Resource } from '@countersign/policy';
import { maxQuestionCharacters, wellFormedJson, type WrittenJson } from '@countersign/pdp';

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

/**
 * A resource as JSON, or why it cannot be sent without loss or ambiguity. A question about it alone, with the `shared`
 * members, has at most `maxQuestionCharacters`.
 */
export function writeResource(resource: Resource, shared: string): WrittenJson {
  const problem = problemOf(resource);
  if (problem !== undefined) return failed(problem);
  const written = wellFormedJson(resourceOf(resource));
  return written.ok && evaluationText(shared, written.text).length > maxQuestionCharacters
    ? failed(`the query has more than ${maxQuestionCharacters} characters`)
    : written;
}

/** The body of a single evaluation (§6.1). */
export function evaluationText(shared: string, resource: string): string {
  return `${shared.slice(0, -1)},"resource":${resource}}`;
}

/** The body of an evaluation of many (§7.1). */
export function evaluationsText(shared: string, resources: readonly string[]): string {
  const evaluations = resources.map((resource) => `{"resource":${resource}}`);
  return `${shared.slice(0, -1)},"evaluations":[${evaluations.join(',')}]}`;
}

function problemOf(resource: Resource): string | undefined {
  // Each member before the copy, which drops hidden properties and prototypes.
  for (const member of [resource.type, resource.id, resource.attributes, resource.parents]) {
    const written = member === undefined ? undefined : wellFormedJson(member);
    if (written?.ok === false) return written.problem;
  }
  const name = Object.keys(resource.attributes ?? {}).find((one) => reserved.test(one));
  return name === undefined ? undefined : `a resource has an attribute called '${name.slice(0, 64)}'`;
}

/** Would be read as the hierarchy, or by Cerbos as the scope or the version of the policy that decides. */
const reserved = /^(?:parents$|cerbos\.)/;

function resourceOf({ type, id, attributes, parents }: Resource): object {
  const properties = { ...attributes, ...(parents === undefined ? {} : { parents }) };
  return { type, id, ...(Object.keys(properties).length === 0 ? {} : { properties }) };
}
