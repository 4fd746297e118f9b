import { ownRecordText } from './own-record.js';
import { isTrueAt, listAt, textAt, type Unknown } from './unknown-record.js';

/** The facts of a record of any shape, because a tampered log must be readable too. Absent: not in the record. */
export interface RecordFacts {
  readonly sequence: number;
  /** The name of its log, where several are read. */
  readonly log?: string;
  readonly id: string | undefined;
  readonly time: string;
  readonly phase: string;
  readonly decision: string | undefined;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  readonly actor: string | undefined;
  readonly actorKey: string | undefined;
  /** The proof that the sender holds the actor's key. */
  readonly possession: string | undefined;
  readonly subject: string | undefined;
  /** From the subject to the actor. */
  readonly chain: readonly HopFacts[];
  readonly scope: string;
  readonly action: string | undefined;
  /** The resource; for a filtered list, the permitted resources that the record names. */
  readonly resources: readonly ResourceFacts[];
  /** For a filtered list: the number of permitted resources and their total. */
  readonly filtered: string | undefined;
  readonly policies: string;
  readonly policySet: string | undefined;
  /** The approvers, if people consented. */
  readonly approvedBy: string | undefined;
  /** The id of the approval that came; else the binding of what people were asked. */
  readonly approval: string | undefined;
  /** The identity that a refused request claimed; it is never shown as the actor. */
  readonly claimedKey: string | undefined;
  readonly claimedAgent: string | undefined;
  readonly requestId: string | undefined;
  readonly callId: string | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly address: string | undefined;
  readonly result: string | undefined;
  readonly status: string | undefined;
  readonly outcomeCode: string | undefined;
  /** What happened at an authority, and who did it. */
  readonly event: string | undefined;
  readonly eventBy: string | undefined;
  /** The request ended without a decision. */
  readonly undecided?: true;
  /** The size of the whole record in bytes, if only its essential fields were kept. */
  readonly oversize: string | undefined;
  /** Description of a record about the log itself. */
  readonly own: string | undefined;
  /** No seal covers the record. */
  readonly unverified?: true;
}

export interface HopFacts {
  readonly id: string;
  readonly type: string;
  readonly proof: string;
  readonly scope: string;
  readonly delegationId: string | undefined;
  /** The ids of the delegations that it was exchanged from. */
  readonly ancestors: string;
  readonly issuer: string | undefined;
}

export interface ResourceFacts {
  readonly type: string;
  readonly id: string;
}

export function recordFacts(sequence: number, record: Unknown, verified = true): RecordFacts {
  return {
    sequence,
    id: textAt(record, 'id'),
    time: textAt(record, 'time') ?? '',
    phase: textAt(record, 'phase') ?? '',
    decision: textAt(record, 'decision'),
    code: textAt(record, 'code'),
    detail: textAt(record, 'detail'),
    actor: textAt(record, 'actor', 'id'),
    actorKey: textAt(record, 'actor', 'keyId'),
    possession: textAt(record, 'possession'),
    subject: textAt(record, 'subject', 'id'),
    chain: listAt(record, 'chain').map(hopFacts),
    scope: words(record, 'scope'),
    action: textAt(record, 'action'),
    resources: resourcesOf(record),
    filtered: filteredOf(record),
    policies: words(record, 'policies'),
    policySet: textAt(record, 'policySet'),
    approvedBy: approversOf(record),
    approval: textAt(record, 'approval', 'id') ?? textAt(record, 'approval', 'binding'),
    claimedKey: textAt(record, 'claimed', 'keyId'),
    claimedAgent: textAt(record, 'claimed', 'agent'),
    requestId: textAt(record, 'request', 'id'),
    callId: textAt(record, 'call', 'id'),
    method: textAt(record, 'request', 'method'),
    path: textAt(record, 'request', 'path'),
    address: textAt(record, 'request', 'remoteAddress'),
    result: textAt(record, 'outcome', 'result'),
    status: textAt(record, 'outcome', 'status'),
    outcomeCode: textAt(record, 'outcome', 'code'),
    event: textAt(record, 'event', 'name'),
    eventBy: textAt(record, 'event', 'by', 'id'),
    oversize: textAt(record, 'oversize', 'bytes'),
    own: ownRecordText(record),
    ...(isTrueAt(record, 'outcome', 'undecided') && { undecided: true }),
    ...(!verified && { unverified: true }),
  };
}

/**
 * What has an outcome of its own: a call, or else the request. A request has many calls, such as all those of a local
 * caller, and the outcome of one says nothing about the others.
 */
export function unitOf({ callId, requestId }: Pick<RecordFacts, 'callId' | 'requestId'>): string | undefined {
  return callId === undefined ? requestId : `call ${callId}`;
}

export function unitIn(record: Unknown): string | undefined {
  return unitOf({ callId: textAt(record, 'call', 'id'), requestId: textAt(record, 'request', 'id') });
}

/** The resource of a record; for a filtered list, the permitted resources that the record names. */
export function resourcesOf(record: Unknown): readonly ResourceFacts[] {
  return [record['resource'], ...listAt(record, 'filtered', 'resources')].flatMap(resourceFacts);
}

/** As Cedar writes it: `Repo::"acme/api"`. */
export function resourceText({ type, id }: ResourceFacts): string {
  return `${type}::"${id.replace(/["\\]/g, String.raw`\$&`)}"`;
}

/** The target of an action: a resource, or a part of a list. */
export function targetOf({ resources: [first], filtered }: RecordFacts): string | undefined {
  if (filtered !== undefined) return filtered;
  return first === undefined ? undefined : resourceText(first);
}

function resourceFacts(resource: unknown): readonly ResourceFacts[] {
  const type = textAt(resource, 'type');
  const id = textAt(resource, 'id');
  return type === undefined || id === undefined ? [] : [{ type, id }];
}

function filteredOf(record: Unknown): string | undefined {
  const asked = textAt(record, 'filtered', 'asked');
  const permitted = textAt(record, 'filtered', 'permitted');
  return asked === undefined || permitted === undefined ? undefined : `${permitted} of ${asked}`;
}

function approversOf(record: Unknown): string | undefined {
  const approvers = listAt(record, 'approval', 'approvers').flatMap((approver) => textAt(approver, 'id') ?? []);
  if (approvers.length === 0) return undefined;
  return `${approvers.join(' and ')}${isTrueAt(record, 'approval', 'breakGlass') ? ' (break-glass)' : ''}`;
}

function hopFacts(hop: unknown): HopFacts {
  return {
    id: textAt(hop, 'id') ?? '?',
    type: textAt(hop, 'type') ?? '?',
    proof: textAt(hop, 'proof') ?? '?',
    scope: words(hop, 'scope'),
    delegationId: textAt(hop, 'delegationId'),
    ancestors: listAt(hop, 'ancestors')
      .flatMap((ancestor) => textAt(ancestor, 'delegationId') ?? [])
      .join(', '),
    issuer: textAt(hop, 'issuer'),
  };
}

function words(value: unknown, name: string): string {
  return listAt(value, name)
    .filter((one) => typeof one === 'string')
    .join(' ');
}

/** Whether the request or call went on after this decision, so that it has an outcome. */
export function wentOn(decision: unknown): boolean {
  return decision === 'allow' || decision === 'would_refuse';
}
