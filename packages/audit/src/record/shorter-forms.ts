import { boundRecorded, missingMark } from '@countersign/common';
import type { AuditEvent } from './event.js';
import { maxStringUnits } from './plain-json.js';

/** Twenty such strings fit into a line with their digests, even if every character needs an escape. */
const maxEssentialUnits = 100;

export interface Form {
  readonly event: AuditEvent;
  /** Most UTF-16 units of a string. */
  readonly most: number;
}

/**
 * Ever shorter forms of an event that is too long for a line. An agent chooses its scopes, and so they go first: who did
 * what to which resource, and which policies permitted it, must not depend on them.
 */
export function* shorterForms(event: AuditEvent): Generator<Form> {
  let shorter = event;
  for (const shorten of [digestHopScopes, digestScope, digestDetail, dropAncestors, dropSignIns, dropListed]) {
    shorter = shorten(shorter);
    yield { event: shorter, most: maxStringUnits };
  }
  yield { event: { ...shorter, ...boundChain(shorter) }, most: maxStringUnits };
  yield { event: shorter, most: maxEssentialUnits };
  // The chain is dropped last: who acted for whom is the purpose of the record.
  shorter = essentials(shorter);
  yield { event: shorter, most: maxEssentialUnits };
  const { chain: _chain, ...rest } = shorter;
  yield { event: rest, most: maxEssentialUnits };
}

function digestHopScopes(event: AuditEvent): AuditEvent {
  const { chain } = event;
  return chain === undefined ? event : { ...event, chain: chain.map((hop) => ({ ...hop, ...digestScope(hop) })) };
}

/** One mark in place of the scopes, with the SHA-256 of them separated by spaces; unless they are shorter. */
function digestScope<Part extends { readonly scope?: readonly string[] }>(part: Part): Part {
  const { scope } = part;
  if (scope === undefined) return part;
  const text = scope.join(' ');
  const mark = missingMark(text, scope.length);
  return text.length <= mark.length ? part : { ...part, scope: [mark] };
}

function digestDetail(event: AuditEvent): AuditEvent {
  const { detail } = event;
  if (detail === undefined) return event;
  const mark = missingMark(detail, detail.length);
  return detail.length <= mark.length ? event : { ...event, detail: mark };
}

function dropAncestors(event: AuditEvent): AuditEvent {
  const { chain } = event;
  return chain === undefined ? event : { ...event, chain: chain.map(({ ancestors: _ancestors, ...hop }) => hop) };
}

/** What an identity provider says of people, and the reasons that they gave. */
function dropSignIns({ approval, event: happened, ...rest }: AuditEvent): AuditEvent {
  const approvers = approval?.approvers?.map(({ id, decidedAt }) => ({ id, groups: [], decidedAt }));
  return {
    ...rest,
    ...(approval && { approval: { ...approval, ...(approvers && { approvers }) } }),
    ...(happened && { event: { name: happened.name, by: { id: happened.by.id, type: happened.by.type } } }),
  };
}

function dropListed(event: AuditEvent): AuditEvent {
  const { filtered } = event;
  return filtered === undefined ? event : { ...event, filtered: { ...filtered, resources: [] } };
}

function boundChain({ chain }: AuditEvent): Pick<AuditEvent, 'chain'> {
  if (chain === undefined) return {};
  const json = JSON.stringify(chain, (_name, value: unknown) =>
    typeof value === 'string' ? boundRecorded(value, maxEssentialUnits) : value,
  );
  return { chain: JSON.parse(json) as NonNullable<AuditEvent['chain']> };
}

function essentials({
  scope: _scope,
  policies: _policies,
  detail: _detail,
  approval,
  ...rest
}: AuditEvent): AuditEvent {
  return {
    ...rest,
    ...(approval && { approval: { binding: approval.binding, ...(approval.id !== undefined && { id: approval.id }) } }),
  };
}
