import type { AuditEvent } from './event.js';

/**
 * How much of a queue of `most` records may be taken when an event joins it. Strangers, who can send many at once, leave
 * room for all who are known; the outcome of what was let in has some even then, as nothing else tells how it ended.
 */
export function roomFor({ phase }: Pick<AuditEvent, 'phase'>, most: number): number {
  if (phase === 'authentication') return Math.ceil(most / 4);
  return phase === 'outcome' ? 2 * most : most;
}
