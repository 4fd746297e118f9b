import { matchesSpiffeId, readSpiffeId } from '@countersign/spiffe';
import type { ReadFacts } from './read-agent.js';

/** Workloads that may be agents: a SPIFFE ID or a pattern of IDs, and the facts of the agents. */
export interface WorkloadFacts {
  readonly id: string;
  readonly facts: ReadFacts;
}

/** The facts of a workload: those of the first rule that names it. Undefined: it is none of the workloads. */
export function factsOfWorkload(rules: readonly WorkloadFacts[], id: string): ReadFacts | undefined {
  if (readSpiffeId(id) === undefined) return undefined;
  return rules.find((rule) => matchesSpiffeId(rule.id, id))?.facts;
}

/** Whether some ID can match both the pattern and one of the rules. */
export function meetsRule(rules: readonly WorkloadFacts[], pattern: string): boolean {
  const prefix = pattern.slice(0, -1);
  return rules.some(({ id }) => id.startsWith(prefix) || (id.endsWith('/*') && prefix.startsWith(id.slice(0, -1))));
}

/**
 * An SQL condition on the column `id`: the first rule that names it has the tag. Its values are numbered from `first`. A
 * row keeps the tags of the last token of its workload, and the rules may have changed since.
 */
export function ruleHasTag(
  rules: readonly WorkloadFacts[],
  tag: string,
  first: number,
): { readonly text: string; readonly values: readonly string[] } {
  const cases = rules.map(({ id, facts }, index) => {
    const place = `$${first + index}`;
    const matches = id.endsWith('/*') ? `substr(id, 1, ${id.length - 1}) = ${place}` : `id = ${place}`;
    return `WHEN ${matches} THEN ${facts.tags.includes(tag) ? 1 : 0}`;
  });
  return {
    text: cases.length === 0 ? '1 = 0' : `CASE ${cases.join(' ')} ELSE 0 END = 1`,
    values: rules.map(({ id }) => (id.endsWith('/*') ? id.slice(0, -1) : id)),
  };
}
