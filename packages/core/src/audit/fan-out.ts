import type { AuditSink } from './event.js';

/**
 * One sink that writes to several. `write` waits for all of them and rejects if one failed: a record that is missing
 * somewhere is a missing record. The others may hold it all the same.
 */
export function fanOut(sinks: readonly AuditSink[]): AuditSink {
  return {
    write: (event) => all(sinks.map(async (sink) => sink.write(event))),
    close: () => all(sinks.map(async (sink) => sink.close?.())),
  };
}

async function all(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const reasons = results.filter((result) => result.status === 'rejected').map(({ reason }): unknown => reason);
  if (reasons.length === 1) throw reasons[0];
  if (reasons.length > 1)
    throw new AggregateError(reasons, `${reasons.length} audit sinks failed: ${reasons.map(String).join('; ')}`);
}
