import type { Resource } from '@countersign/core';
import { memberOf } from './json-rpc.js';

/** The group that the annotations of a tool put it in. */
export type AnnotatedGroup = 'read' | 'write' | 'destructive';

const byDanger: readonly AnnotatedGroup[] = ['read', 'write', 'destructive'];

export function moreDangerous(one: AnnotatedGroup, other: AnnotatedGroup): AnnotatedGroup {
  return byDanger.indexOf(one) < byDanger.indexOf(other) ? other : one;
}

/** Hints are optional: by the specification, a tool that says nothing may destroy. */
export function groupOfAnnotations(annotations: unknown): AnnotatedGroup {
  if (memberOf(annotations, 'readOnlyHint') === true) return 'read';
  return memberOf(annotations, 'destructiveHint') === false ? 'write' : 'destructive';
}

/** A resource for the call itself, in its tool and the groups of that. */
export function callResource(
  { id, parents = [] }: Resource,
  type: string,
  attributes: Readonly<Record<string, unknown>>,
): Resource {
  return { type, id, attributes, parents: [{ type: 'Tool', id }, ...parents] };
}
