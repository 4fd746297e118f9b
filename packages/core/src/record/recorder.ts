import { randomUUID } from 'node:crypto';
import type { Caller } from '../model/caller.js';
import { boundJson, type Counted, deepFreeze, FailureThrottles, errorMessage } from '@countersign/common';
import type { RequestFacts } from '../stages/address/request-facts.js';
import type { PolicyDecision, Resource } from '@countersign/policy';
import { type Refusal, type RefusalCode, refusal } from '../model/refusal.js';
import { AuditError, type AuditEvent, type AuditOutcome, type AuditSink } from '@countersign/audit';
import type { Redactor } from './redact.js';

/** What was decided, as it is written down. */
export interface DecidedAction {
  readonly action?: string;
  readonly resource?: Resource;
  readonly policy?: PolicyDecision;
}

/** What became of a list, as it is written down. */
export type FilteredList = Pick<AuditEvent, 'decision' | 'code' | 'detail' | 'filtered' | 'policies' | 'policySet'> & {
  readonly action: string;
};

/** Turns what happened into audit events. Whatever could not be written is answered with `audit_unavailable`. */
export interface Recorder {
  /**
   * A request refused before its caller was known: the identity stands as claimed, never as actor. Resolves to what is
   * answered, which may say less than the record.
   */
  unverified(facts: RequestFacts, claimed: AuditEvent['claimed'], refused: Refusal): Promise<Refusal>;
  denied(caller: Caller, facts: RequestFacts, decided: DecidedAction, refused: Refusal): Promise<Refusal>;
  /** Resolves to a refusal when the record could not be written: then the action must not run. */
  allowed(caller: Caller, facts: RequestFacts, decided: DecidedAction): Promise<Refusal | undefined>;
  /** As `allowed`, for a list: once, whatever it holds. */
  filtered(caller: Caller, facts: RequestFacts, list: FilteredList): Promise<Refusal | undefined>;
  outcome(caller: Caller, facts: RequestFacts, outcome: AuditOutcome): Promise<void>;
  /** Tells what is over and was not told yet. Call it when no record follows. */
  close(): void;
}

/**
 * Most bytes that each text of a refused request takes in its record. Strangers fill the log too: what they say gets no
 * more room than one needs to recognise it.
 */
const strangerBytes = { detail: 256, path: 192, keyId: 48, agent: 256, method: 24, remoteAddress: 48 } as const;

/** Reported with the error itself, which the refusal does not hold, or listed by the host at start. */
const toldElsewhere: readonly RefusalCode[] = ['resource_unresolved', 'internal_error', 'route_unmapped'];

interface RecorderSettings {
  readonly audit: AuditSink;
  readonly redact: Redactor;
  readonly dangerouslyActWithoutRecord: readonly string[];
  readonly clock: () => number;
  readonly onTrouble: (message: string) => void;
}

export function createRecorder(settings: RecorderSettings): Recorder {
  const { audit, redact, clock, onTrouble, dangerouslyActWithoutRecord } = settings;
  const unwritten = new FailureThrottles(clock);
  const unrecorded = new FailureThrottles(clock);
  const faults = new FailureThrottles(clock);

  function tellOver(written: Counted, recorded: Counted): void {
    for (const [failure, times] of written) {
      onTrouble(`countersign: audit records are written again, after ${times} that could not be (${failure}).`);
    }
    for (const [action, times] of recorded) {
      onTrouble(`countersign: ${action} ran ${times === 1 ? 'once' : `${times} times`} without its record.`);
    }
  }

  async function write(event: Omit<AuditEvent, 'id' | 'time'>): Promise<Refusal | undefined> {
    try {
      const recorded = redact({ id: randomUUID(), time: new Date(clock()).toISOString(), ...event });
      // Frozen: what one sink does with it changes nothing for the others.
      await audit.write(deepFreeze(recorded));
      tellOver(unwritten.recordSuccess(), unrecorded.recordSuccess());
      return undefined;
    } catch (error) {
      const trouble = unwritten.of(error instanceof AuditError ? error.code : 'other');
      if (trouble.recordFailure()) {
        onTrouble(
          `countersign: an audit record could not be written (${trouble.times} so far): ${errorMessage(error)}`,
        );
      }
      return refusal('audit_unavailable', errorMessage(error));
    }
  }

  /** Our own faults are told to the operator too: the client gets no more than a code. */
  function tell({ fault, code, detail = '' }: Refusal, facts: RequestFacts): void {
    if (fault !== 'server' || toldElsewhere.includes(code)) return;
    const trouble = faults.of(code);
    // No request says that it is over, but a while without it does.
    trouble.recordSuccess();
    if (!trouble.recordFailure()) return;
    const count = trouble.times === 1 ? '' : ` (${trouble.times} so far)`;
    onTrouble(`countersign: ${code} at ${facts.method} ${JSON.stringify(facts.path)}${count}: ${detail}`);
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
    async unverified(facts, claimed, refused) {
      tell(refused, facts);
      const event = {
        phase: 'authentication',
        ...bounded(reason(refused)),
        ...(claimed && { claimed: bounded(claimed) }),
        request: bounded(facts),
      } as const;
      return (await write(event)) ?? refused.answer ?? refused;
    },
    async denied(caller, facts, decided, refused) {
      tell(refused, facts);
      const event = {
        phase: 'decision',
        ...reason(refused),
        ...identity(caller),
        ...described(decided),
        request: facts,
      } as const;
      return (await write(event)) ?? refused;
    },
    async allowed(caller, facts, decided) {
      const event = { phase: 'decision', decision: 'allow', ...identity(caller), ...described(decided) } as const;
      return unlessExcused(decided.action ?? '', await write({ ...event, request: facts }));
    },
    async filtered(caller, facts, list) {
      if (list.detail !== undefined) tell(refusal('policy_error', list.detail), facts);
      const event = { phase: 'decision', ...identity(caller), ...list } as const;
      return unlessExcused(list.action, await write({ ...event, request: facts }));
    },
    async outcome(caller, facts, outcome) {
      await write({ phase: 'outcome', ...identity(caller), request: facts, outcome: { ...outcome } });
    },
    close() {
      tellOver(unwritten.flush(), unrecorded.flush());
    },
  };
}

function bounded<Texts extends object>(texts: Texts): Texts {
  const cut = Object.entries(strangerBytes).flatMap(([name, most]) => {
    const text: unknown = Reflect.get(texts, name);
    return typeof text === 'string' ? [[name, boundJson(text, most)]] : [];
  });
  return { ...texts, ...Object.fromEntries(cut) };
}

function reason({ code, detail }: Refusal): Pick<AuditEvent, 'decision' | 'code' | 'detail'> {
  return { decision: 'deny', code, ...(detail === undefined ? {} : { detail }) };
}

function identity({
  actor,
  proof,
  subject,
  chain,
  scope,
}: Caller): Pick<AuditEvent, 'actor' | 'possession' | 'subject' | 'chain' | 'scope'> {
  return {
    actor: { id: actor.id, keyId: actor.keyId },
    possession: proof.kind,
    subject,
    chain: chain.map(({ authorizationDetails: _details, ...hop }) => hop),
    scope,
  };
}

function described({
  action,
  resource,
  policy,
}: DecidedAction): Pick<AuditEvent, 'action' | 'resource' | 'policies' | 'policySet'> {
  return {
    ...(action === undefined ? {} : { action }),
    ...(resource && { resource: { type: resource.type, id: resource.id } }),
    ...(policy && { policies: [...policy.policies], policySet: policy.policySet }),
  };
}
