import { wireBounds } from '@countersign/common';
import { parseList } from '@countersign/signature';
import type { FieldSection } from '@countersign/signature';
import { type Refusal, refusal } from '../../model/refusal.js';

/**
 * Reads the Agent-Delegation field: a List of Tokens (RFC 9651 §3.1, §3.3.4) without parameters, each one link, in the
 * order in which they were handed on. Present but broken is refused: it never counts as absent. Never throws; details
 * never quote what was sent.
 */
export function readDelegationField(fields: FieldSection, maxLinks: number): readonly string[] | Refusal {
  const [value, ...others] = fields.raw('agent-delegation');
  if (value === undefined) return [];
  // Frameworks differ in which of two they take; one field holds a whole chain.
  if (others.length > 0) return malformed('more than one Agent-Delegation field');
  if (value.length > wireBounds.delegationFieldLength) return malformed('the Agent-Delegation field is too long');
  const list = parseList(value, { duplicates: 'refuse', budget: { parts: maxLinks + 1 } });
  if (!list.ok && list.problem.kind !== 'too_long') return malformed('the Agent-Delegation field is not a List');
  if (!list.ok) return refusal('delegation_too_deep', `more than ${maxLinks} links`);
  if (list.value.length === 0) return malformed('the Agent-Delegation field is empty');
  if (list.value.length > maxLinks) return refusal('delegation_too_deep', `more than ${maxLinks} links`);
  const links: string[] = [];
  for (const member of list.value) {
    if ('items' in member || member.value.type !== 'token' || member.parameters.size > 0) {
      return malformed('the Agent-Delegation field holds something that is not a Token');
    }
    links.push(member.value.value);
  }
  return links;
}

function malformed(detail: string): Refusal {
  return refusal('delegation_malformed', detail);
}
