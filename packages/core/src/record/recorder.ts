import { randomUUID } from 'node:crypto';
import type { Caller } from '../model/caller.js';
import {
  boundJson,
  boundString,
  type Counted,
  deepFreeze,
  defined,
  FailureThrottles,
  errorMessage,
  isA,
} from '@countersign/common';
import type { RequestFacts } from '../model/request.js';
import type { PolicyDecision, Resource } from '@countersign/policy';
import { type Refusal, type RefusalCode, refusal } from '../model/refusal.js';
import {
  type AuditApproval,
  type AuditCall,
  AuditError,
  type AuditEvent,
  type AuditOutcome,
  type AuditSink,
  type EventCaller,
} from '@countersign/audit';
import { createCallerParts } from './caller-parts.js';
import type { FilteredList } from '../stages/filter/filter.js';
import type { Redactor } from './redact.js';

/** The recorded part of a decision. */
export interface DecidedAction {
  readonly action?: string;
  readonly resource?: Resource;
  readonly policy?: PolicyDecision;
  readonly approval?: AuditApproval;
}

type EventHead = Pick<AuditEvent, 'phase' | 'decision' | 'code' | 'detail'>;
type EventTail = Omit<AuditEvent, 'id' | 'time' | keyof EventHead | keyof EventCaller>;

/** What a record is about: a request, or a call within it. */
export interface RecordContext {
  readonly facts: RequestFacts;
  readonly call?: AuditCall;
}

/** `would_refuse`: the guard only observes. */
export type NegativeDecision = 'deny' | 'would_refuse';

/** Writes audit events. If an event cannot be written, the answer is `audit_unavailable`. */
export interface Recorder {
  /**
   * Records a request refused before its caller was verified: the identity is `claimed`, never `actor`. Resolves to the
   * refusal for the client, which may say less than the record.
   */
  unverified(
    facts: RequestFacts,
    claimed: AuditEvent['claimed'],
    refused: Refusal,
    decision?: NegativeDecision,
  ): Promise<Refusal>;
  /** Likewise, of a verified caller. */
  denied(
    caller: Caller,
    context: RecordContext,
    decided: DecidedAction,
    refused: Refusal,
    decision?: NegativeDecision,
  ): Promise<Refusal>;
  /** Resolves to a refusal if the record could not be written: then the action must not run. */
  allowed(caller: Caller, context: RecordContext, decided: DecidedAction): Promise<Refusal | undefined>;
  /** Like `allowed`, with one record for a whole list. */
  filtered(caller: Caller, context: RecordContext, list: FilteredList): Promise<Refusal | undefined>;
  outcome(caller: Caller, context: RecordContext, outcome: AuditOutcome): Promise<void>;
  /** Reports recoveries that were not reported yet. Call it after the last record. */
  close(): void;
}

/**
 * Most bytes of each text of an unverified request in its record: enough to recognise it, because an unverified client
 * can fill the log.
 */
const unverifiedBytes = { detail: 256, path: 192, keyId: 48, agent: 256, method: 24, remoteAddress: 48 } as const;

/** Most UTF-16 units of a fault in its report: it may quote the request. */
const longestReport = 1024;

/** Reported elsewhere: together with their error, or by the host at start. */
const reportedElsewhere: readonly RefusalCode[] = ['internal_error', 'route_unmapped'];

interface RecorderParts {
  readonly audit: AuditSink;
  readonly redact: Redactor;
  readonly dangerouslyActWithoutRecord: readonly string[];
  readonly subjectMustAlsoBePermitted: boolean;
  readonly clock: () => number;
  readonly onTrouble: (message: string) => void;
}

export function createRecorder(parts: RecorderParts): Recorder {
  const { audit, redact, clock, onTrouble, dangerouslyActWithoutRecord } = parts;
  const unwritten = new FailureThrottles(clock);
  const unrecorded = new FailureThrottles(clock);
  const faults = new FailureThrottles(clock);

  function reportRecovery(written: Counted, recorded: Counted): void {
    for (const [failure, times] of written) {
      onTrouble(`countersign: audit records are written again, after ${times} that could not be (${failure}).`);
    }
    for (const [action, times] of recorded) {
      onTrouble(`countersign: ${action} ran ${times === 1 ? 'once' : `${times} times`} without its record.`);
    }
  }

  const callerPart = createCallerParts(redact, parts.subjectMustAlsoBePermitted);

  function eventOf(caller: Caller, head: EventHead, tail: EventTail): AuditEvent {
    return callerPart(caller).event(redact(Object.assign(stamp(), head)), redact(tail));
  }

  function stamp(): Pick<AuditEvent, 'id' | 'time'> {
    return { id: randomUUID(), time: new Date(clock()).toISOString() };
  }

  /** What keeps an event from being made counts as one that cannot be written. */
  function write(event: () => AuditEvent): Promise<Refusal | undefined> {
    try {
      return Promise.resolve(audit.write(event())).then(recordSuccess, recordFailure);
    } catch (error) {
      return Promise.resolve(recordFailure(error));
    }
  }

  function recordSuccess(): undefined {
    reportRecovery(unwritten.recordSuccess(), unrecorded.recordSuccess());
  }

  function recordFailure(error: unknown): Refusal {
    const trouble = unwritten.of(isA(error, AuditError) ? error.code : 'other');
    if (trouble.recordFailure()) {
      onTrouble(`countersign: an audit record could not be written (${trouble.times} so far): ${errorMessage(error)}`);
    }
    return refusal('audit_unavailable', errorMessage(error));
  }

  /** Reports a fault of ours to the operator, since the client gets only a code. */
  function reportFault({ fault, code, detail = '', reported = detail }: Refusal, context: RecordContext): void {
    if (fault !== 'server' || reportedElsewhere.includes(code)) return;
    const trouble = faults.of(code);
    // Recovery is inferred from silence.
    trouble.recordSuccess();
    if (!trouble.recordFailure()) return;
    const count = trouble.times === 1 ? '' : ` (${trouble.times} so far)`;
    const text = boundString(reported, longestReport);
    onTrouble(`countersign: ${code} at ${placeOf(context)}${count}: ${text}`);
  }

  function unlessExcused(action: string, refused: Refusal | undefined): Refusal | undefined {
    if (refused === undefined || !dangerouslyActWithoutRecord.includes(action)) return refused;
    const trouble = unrecorded.of(action);
    if (trouble.recordFailure()) {
      onTrouble(`countersign: ${action} was let through without its record; ${trouble.times} so far.`);
    }
    return undefined;
  }

  return {
    async unverified(facts, claimed, refused, decision) {
      reportFault(refused, { facts });
      const event = {
        phase: 'authentication',
        ...bounded(reason(refused, decision)),
        ...(claimed && { claimed: bounded(claimed) }),
        request: bounded(facts),
      } as const;
      // Frozen, so that no sink can change the event for the others.
      return (await write(() => deepFreeze(redact({ ...stamp(), ...event })))) ?? refused.answer ?? refused;
    },
    async denied(caller, context, decided, refused, decision) {
      reportFault(refused, context);
      const head = { phase: 'decision', ...reason(refused, decision) } as const;
      return (await write(() => eventOf(caller, head, decisionTail(decided, context)))) ?? refused.answer ?? refused;
    },
    allowed(caller, context, decided) {
      const head = { phase: 'decision', decision: 'allow' } as const;
      const written = write(() => eventOf(caller, head, decisionTail(decided, context)));
      if (dangerouslyActWithoutRecord.length === 0) return written;
      return written.then((refused) => unlessExcused(decided.action ?? '', refused));
    },
    async filtered(caller, context, { action, filtered, policies, policySet, faults, ...verdict }) {
      for (const fault of faults) reportFault(fault, context);
      const { facts: request, call } = context;
      const tail = defined({ action, filtered, policies, policySet, request, call });
      const head = { phase: 'decision', ...verdict } as const;
      return unlessExcused(action, await write(() => eventOf(caller, head, tail)));
    },
    async outcome(caller, context, outcome) {
      const { facts: request, call } = context;
      const copy = { ...outcome };
      const tail = call === undefined ? { request, outcome: copy } : { request, call, outcome: copy };
      await write(() => eventOf(caller, { phase: 'outcome' }, tail));
    },
    close() {
      reportRecovery(unwritten.flush(), unrecorded.flush());
    },
  };
}

function placeOf({ facts, call }: RecordContext): string {
  const { method, path } = bounded(facts);
  if (call === undefined && method === undefined) return 'a local caller';
  if (call === undefined) return `${method} ${JSON.stringify(path)}`;
  return [call.method, call.name ?? '']
    .map((text) => JSON.stringify(boundString(text, unverifiedBytes.path)))
    .join(' ');
}

function bounded<Texts extends object>(texts: Texts): Texts {
  const cut = Object.entries(unverifiedBytes).flatMap(([name, most]) => {
    const text: unknown = Reflect.get(texts, name);
    return typeof text === 'string' ? [[name, boundJson(text, most)]] : [];
  });
  return { ...texts, ...Object.fromEntries(cut) };
}

function reason(
  { code, detail }: Refusal,
  decision: NegativeDecision = 'deny',
): Pick<AuditEvent, 'decision' | 'code' | 'detail'> {
  return { decision, code, ...(detail === undefined ? {} : { detail }) };
}

function decisionTail(decided: DecidedAction, { facts: request, call }: RecordContext): EventTail {
  const { action, policy, approval } = decided;
  const resource = decided.resource && { type: decided.resource.type, id: decided.resource.id };
  const policies = policy && [...policy.policies];
  const policySet = policy?.policySet;
  const isUsual = action !== undefined && resource !== undefined && policies !== undefined && policySet !== undefined;
  // A literal of its own for the usual record: see `defined`.
  if (isUsual && call === undefined && approval === undefined)
    return { action, resource, policies, policySet, request };
  return defined({ action, resource, policies, policySet, approval, request, call });
}
