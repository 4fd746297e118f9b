/** What a record says, whatever its shape: a log that somebody wrote into must be shown too. Absent: not said. */
export interface RecordFacts {
  readonly sequence: number;
  readonly id: string | undefined;
  readonly time: string;
  readonly phase: string;
  readonly decision: string | undefined;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  readonly actor: string | undefined;
  readonly actorKey: string | undefined;
  readonly subject: string | undefined;
  /** From the subject to the actor. */
  readonly chain: readonly HopFacts[];
  readonly scope: string;
  readonly action: string | undefined;
  /** The resource; of a filtered list those that were permitted, as far as the record names them. */
  readonly resources: readonly ResourceFacts[];
  /** Of a filtered list: how many of how many were permitted. */
  readonly filtered: string | undefined;
  readonly policies: string;
  readonly policySet: string | undefined;
  /** The approver, if a person consented. */
  readonly approvedBy: string | undefined;
  /** What a refused request said about itself: never the actor. */
  readonly claimedKey: string | undefined;
  readonly claimedAgent: string | undefined;
  readonly requestId: string | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly address: string | undefined;
  readonly result: string | undefined;
  readonly status: string | undefined;
  readonly outcomeCode: string | undefined;
}

export interface HopFacts {
  readonly id: string;
  readonly type: string;
  readonly proof: string;
  readonly scope: string;
  readonly delegationId: string | undefined;
  readonly issuer: string | undefined;
}

export interface ResourceFacts {
  readonly type: string;
  readonly id: string;
}

/** A JSON object of which nothing is known. */
export type Unknown = Readonly<Record<string, unknown>>;

export function recordFacts(sequence: number, record: Unknown): RecordFacts {
  return {
    sequence,
    id: text(record, 'id'),
    time: text(record, 'time') ?? '',
    phase: text(record, 'phase') ?? '',
    decision: text(record, 'decision'),
    code: text(record, 'code'),
    detail: text(record, 'detail'),
    actor: text(record, 'actor', 'id'),
    actorKey: text(record, 'actor', 'keyId'),
    subject: text(record, 'subject', 'id'),
    chain: list(record['chain']).map(hopFacts),
    scope: words(record['scope']),
    action: text(record, 'action'),
    resources: [record['resource'], ...list(member(record['filtered'], 'resources'))].flatMap(resourceFacts),
    filtered: filteredOf(record),
    policies: words(record['policies']),
    policySet: text(record, 'policySet'),
    approvedBy: text(record, 'approval', 'approver'),
    claimedKey: text(record, 'claimed', 'keyId'),
    claimedAgent: text(record, 'claimed', 'agent'),
    requestId: text(record, 'request', 'id'),
    method: text(record, 'request', 'method'),
    path: text(record, 'request', 'path'),
    address: text(record, 'request', 'remoteAddress'),
    result: text(record, 'outcome', 'result'),
    status: text(record, 'outcome', 'status'),
    outcomeCode: text(record, 'outcome', 'code'),
  };
}

/** As Cedar writes it: `Repo::"acme/api"`. */
export function resourceText({ type, id }: ResourceFacts): string {
  return `${type}::"${id}"`;
}

/** What an action was on: a resource, or a part of a list. */
export function targetOf({ resources: [first], filtered }: RecordFacts): string | undefined {
  if (filtered !== undefined) return filtered;
  return first === undefined ? undefined : resourceText(first);
}

function resourceFacts(resource: unknown): readonly ResourceFacts[] {
  const type = text(resource, 'type');
  const id = text(resource, 'id');
  return type === undefined || id === undefined ? [] : [{ type, id }];
}

function filteredOf(record: Unknown): string | undefined {
  const asked = text(record, 'filtered', 'asked');
  const permitted = text(record, 'filtered', 'permitted');
  return asked === undefined || permitted === undefined ? undefined : `${permitted} of ${asked}`;
}

function hopFacts(hop: unknown): HopFacts {
  return {
    id: text(hop, 'id') ?? '?',
    type: text(hop, 'type') ?? '?',
    proof: text(hop, 'proof') ?? '?',
    scope: words(member(hop, 'scope')),
    delegationId: text(hop, 'delegationId'),
    issuer: text(hop, 'issuer'),
  };
}

function text(value: unknown, ...path: readonly string[]): string | undefined {
  const found = path.reduce(member, value);
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined;
}

function words(value: unknown): string {
  return list(value)
    .filter((one) => typeof one === 'string')
    .join(' ');
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Unknown)[name]
    : undefined;
}
