import { ConfigError } from '@countersign/common';
import { BoundedSink } from './bounded-sink.js';
import type { AuditSink, ObservableSink } from '../record/event.js';
import { fanOut, isFanOut } from './fan-out.js';

/** A single sink gets the timeout of `fanOut`; `maxWaiting` is that high because the sink limits its own queue. */
const limits = { maxWaiting: 1_000_000, timeoutMilliseconds: 30_000 };

/** Reads the guard's `audit` option. Each sink gets a timeout: a disk that hangs becomes a refusal. */
export function readAudit(audit: AuditSink | readonly AuditSink[]): ObservableSink {
  const sinks: readonly AuditSink[] = Array.isArray(audit) ? audit : [audit as AuditSink];
  if (sinks.some((sink) => typeof sink === 'string')) {
    throw new ConfigError("createGuard: 'audit' is a text. Write auditFile('audit') with the name of the folder.");
  }
  if (sinks.length === 0 || sinks.some((sink) => typeof sink?.write !== 'function')) {
    throw new ConfigError(
      "createGuard: 'audit' is missing. Without a record there is no action: try auditFile('audit').",
    );
  }
  if (sinks.every(({ bestEffort }) => bestEffort === true)) {
    throw new ConfigError(
      "createGuard: 'audit' cannot tell whether it kept a record. Put it beside one that can: [auditFile('audit'), …].",
    );
  }
  const [only] = sinks;
  if (only === undefined || sinks.length > 1) return fanOut(sinks);
  return isFanOut(only) ? only : new BoundedSink(only, 'the audit sink', limits);
}

/** Reads `dangerouslyActWithoutRecord`: the actions that run even if their record cannot be written. */
export function readUnrecordedActions(actions: readonly string[] = []): readonly string[] {
  if (Array.isArray(actions) && actions.every((action) => typeof action === 'string' && action !== '')) return actions;
  throw new ConfigError("createGuard: 'dangerouslyActWithoutRecord' must list actions, like ['invoice.read'].");
}
