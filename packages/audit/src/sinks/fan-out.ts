import {
  checkOptionNames,
  ConfigError,
  integerOption,
  madeOf,
  oneOfOption,
  readClock,
  readOnTrouble,
} from '@countersign/common';
import type { AuditSink, ObservableSink } from '../record/event.js';
import { type BranchLimits, denyBranch, type FanOutBranch, type FanOutRule, reportBranch } from './fan-out-branch.js';

export interface FanOutOptions {
  /** Most records that wait for one sink; a further record is a failure of that sink. Default 4096. */
  readonly maxWaiting?: number;
  /** Timeout of a write to one sink, and of its close, in seconds. Default 30. */
  readonly timeoutSeconds?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Called when records are missing in a `report` sink. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}

const fanOuts = new WeakSet<AuditSink>();

/** Whether `fanOut` made this sink, and so bounds it already. */
export function isFanOut(sink: AuditSink): sink is FanOut {
  return fanOuts.has(sink);
}

/** Several sinks as one. */
export interface FanOut extends ObservableSink {
  /** Number of records missing in each `report` sink, by name; timeouts included. */
  readonly lost: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/**
 * Combines several sinks, each with its own rule. `write` resolves once every `deny` sink has the record, and rejects if
 * one of them failed; the others may still hold the record. A sink without a rule is a `deny` sink.
 *
 * @throws ConfigError unless at least one `deny` sink is not best effort.
 *
 * @example
 * fanOut([auditFile('audit'), { sink: auditPino(logger), onFailure: 'report', name: 'pino' }]);
 */
export function fanOut(sinks: readonly (AuditSink | FanOutRule)[], options: FanOutOptions = {}): FanOut {
  checkOptionNames('fanOut', options, ['maxWaiting', 'timeoutSeconds', 'clock', 'onTrouble']);
  const limits = readLimits(options);
  const rules = readRules(sinks);
  if (!rules.some(({ sink, onFailure }) => onFailure !== 'report' && sink.bestEffort !== true)) {
    throw new ConfigError(
      "fanOut: no sink keeps records for sure. Add one whose failure is a refusal: auditFile('audit').",
    );
  }
  const denying = rules.filter(({ onFailure }) => onFailure !== 'report').map((rule) => denyBranch(rule, limits));
  const reporting = rules.filter(({ onFailure }) => onFailure === 'report').map((rule) => reportBranch(rule, limits));
  const branches: readonly FanOutBranch[] = [...denying, ...reporting];
  const fan: FanOut = {
    get lost() {
      return Object.fromEntries(reporting.map(({ name, lost }) => [name, lost]));
    },
    write(event) {
      for (const branch of reporting) void branch.write(event);
      return settleAll(denying.map((branch) => branch.write(event)));
    },
    status: () => branches.map((branch) => branch.status()),
    close: () => settleAll(branches.map((branch) => branch.close())),
  };
  fanOuts.add(fan);
  return madeOf(
    fan,
    rules.map(({ sink }) => sink),
  );
}

function readRules(sinks: readonly (AuditSink | FanOutRule)[]): readonly Required<FanOutRule>[] {
  if (!Array.isArray(sinks)) throw new ConfigError("fanOut: pass a list of sinks, like [auditFile('audit')].");
  const rules = sinks.map((given: AuditSink | FanOutRule | null, index) => {
    const isRule = typeof given === 'object' && given !== null && 'sink' in given;
    return readRule(isRule ? given : { sink: given as AuditSink }, `sink ${index + 1}`);
  });
  if (new Set(rules.map(({ name }) => name)).size < rules.length) {
    throw new ConfigError('fanOut: two sinks have the same name.');
  }
  return rules;
}

function readRule({ sink, onFailure = 'deny', name = '', ...rest }: FanOutRule, place: string): Required<FanOutRule> {
  checkOptionNames(`fanOut ${place}`, rest, ['sink', 'onFailure', 'name']);
  if (typeof sink?.write !== 'function') throw new ConfigError(`fanOut: ${place} has no method write().`);
  oneOfOption(`fanOut ${place}`, 'onFailure', onFailure, ['deny', 'report']);
  return { sink, onFailure, name: name === '' ? place : name };
}

function readLimits({ maxWaiting = 4096, timeoutSeconds = 30, clock, onTrouble }: FanOutOptions): BranchLimits {
  return {
    maxWaiting: integerOption('fanOut', 'maxWaiting', maxWaiting, 1),
    timeoutMilliseconds: 1000 * integerOption('fanOut', 'timeoutSeconds', timeoutSeconds, 1, 3600),
    clock: readClock('fanOut', clock),
    onTrouble: readOnTrouble('fanOut', onTrouble),
  };
}

async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const reasons = results.filter((result) => result.status === 'rejected').map(({ reason }): unknown => reason);
  if (reasons.length === 1) throw reasons[0];
  if (reasons.length > 1)
    throw new AggregateError(reasons, `${reasons.length} audit sinks failed: ${reasons.map(String).join('; ')}`);
}
