import { ConfigError } from '../config-error.js';
import type { AuditSink } from './event.js';
import { fanOut } from './fan-out.js';

/** The sink or sinks of a guard. */
export function readAudit(audit: AuditSink | readonly AuditSink[]): AuditSink {
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
  return sinks.length === 1 && only !== undefined ? only : fanOut(sinks);
}

/** The actions that may run though their record cannot be written. */
export function readUnrecordedActions(actions: readonly string[] = []): readonly string[] {
  if (Array.isArray(actions) && actions.every((action) => typeof action === 'string' && action !== '')) return actions;
  throw new ConfigError("createGuard: 'dangerouslyActWithoutRecord' must list actions, like ['invoice.read'].");
}
