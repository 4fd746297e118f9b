import type { Resource } from '@countersign/core';
import { memberOf } from './json-rpc.js';
import type { ReadRules, ToolRule } from './rules.js';

/** The group that the annotations of a tool put it in. */
export type AnnotatedGroup = 'read' | 'write' | 'destructive';

/** Hints are optional: by the specification, a tool that says nothing may destroy. */
export function groupOfAnnotations(annotations: unknown): AnnotatedGroup {
  if (memberOf(annotations, 'readOnlyHint') === true) return 'read';
  return memberOf(annotations, 'destructiveHint') === false ? 'write' : 'destructive';
}

/** More tools than any server lists; what is not remembered counts as destructive. */
const maxRemembered = 10_000;

/**
 * The tools of a server as resources, in their groups. What annotations say is learnt from the server.
 */
export class ToolGroups {
  readonly #rules: ReadRules;
  readonly #learnt = new Map<string, AnnotatedGroup>();

  constructor(rules: ReadRules) {
    this.#rules = rules;
  }

  /** Learns from the tools that the server lists, before they are filtered. */
  learn(tools: readonly unknown[]): void {
    for (const tool of tools) {
      const name = memberOf(tool, 'name');
      if (typeof name !== 'string' || (this.#learnt.size >= maxRemembered && !this.#learnt.has(name))) continue;
      this.#learnt.set(name, groupOfAnnotations(memberOf(tool, 'annotations')));
    }
  }

  toolResource(name: string): Resource {
    return { type: 'Tool', id: name, parents: this.#groups(name) };
  }

  /** Undefined: the tool was not declared, although tools were. */
  ruleOf(name: string): ToolRule | undefined {
    return this.#rules.tools === undefined ? {} : this.#rules.tools.get(name);
  }

  #groups(name: string): NonNullable<Resource['parents']> {
    const { annotations, groups = [] } = this.ruleOf(name) ?? {};
    const annotated = annotations === undefined ? this.#learnt.get(name) : groupOfAnnotations(annotations);
    return [...new Set([annotated ?? 'destructive', ...groups])].map((id) => ({ type: 'ToolGroup', id }));
  }
}

/** A resource for the call itself, in its tool and the groups of that. */
export function callResource(
  { id, parents = [] }: Resource,
  type: string,
  attributes: Readonly<Record<string, unknown>>,
): Resource {
  return { type, id, attributes, parents: [{ type: 'Tool', id }, ...parents] };
}
