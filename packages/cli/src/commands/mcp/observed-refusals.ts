import type { AuditEvent, AuditSink } from '@countersign/core';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';

/** Prints one line for each request that a guard would refuse if it did not only observe. */
export function printObservedRefusals(io: Pick<Io, 'err'>): AuditSink {
  return {
    bestEffort: true,
    async write(event) {
      if (event.decision === 'would_refuse') io.err(`${printable(observedRefusal(event))}\n`);
    },
  };
}

function observedRefusal(event: AuditEvent): string {
  const { phase, code = '', request } = event;
  if (phase === 'authentication') return `unverified: ${request.method ?? ''} ${request.path ?? ''}: ${code}`;
  return `would refuse ${whatOf(event)} for ${whoOf(event)}: ${code}; ${remedyOf(event)}`;
}

function whatOf({ call, action, filtered }: AuditEvent): string {
  const hidden = filtered && `${filtered.asked - filtered.permitted} of ${filtered.asked}`;
  return [call?.method ?? action, call?.name, hidden].filter((part) => part !== undefined).join(' ');
}

function whoOf({ actor, subject }: AuditEvent): string {
  const agent = actor?.id ?? 'nobody';
  return subject === undefined || subject.id === actor?.id ? agent : `${agent} for ${subject.id}`;
}

/** What would permit it. */
function remedyOf({ code, detail, action, resource, actor, filtered }: AuditEvent): string {
  if (code === 'insufficient_scope' && detail !== undefined) return `it needs the scope: ${detail}`;
  if (code !== 'policy_denied' || action === undefined) return detail ?? 'see the audit log';
  const target = resource === undefined ? 'resource' : `resource == ${resource.type}::${JSON.stringify(resource.id)}`;
  const permit = `permit(principal == Agent::${JSON.stringify(actor?.id)}, action == Action::"${action}", ${target});`;
  return filtered === undefined ? permit : `they stay listed; to list them: ${permit}`;
}
