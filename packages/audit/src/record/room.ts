import type { AuditEvent } from './event.js';

/**
 * How much of a queue of `most` records may be taken when an event joins it. Strangers, who can send many at once, leave
 * room for all who are known. Denials leave room for what is allowed: an agent that is allowed nothing can send many too,
 * and a denial that cannot be recorded is still a refusal. The outcome of what was let in has some room even then, as
 * nothing else tells how it ended.
 */
export function roomFor({ phase, decision }: Pick<AuditEvent, 'phase' | 'decision'>, most: number): number {
  if (phase === 'authentication') return Math.ceil(most / 4);
  if (phase === 'decision' && decision === 'deny') return Math.ceil(most / 2);
  return phase === 'outcome' ? 2 * most : most;
}
