import type { ServerResponse } from 'node:http';
import type { AuditOutcome } from '../audit/event.js';

/** The handle on a watched answer. */
export interface OutcomeWatch {
  /** Says that the handler threw. */
  threw(): void;
}

/**
 * Calls back exactly once when the answer has ended, however it ends: handed over whole, or the connection closed
 * before that. Say `threw()` when the handler threw; the outcome then carries the status that was sent for it.
 */
export function watchOutcome(response: ServerResponse, onEnd: (outcome: AuditOutcome) => void): OutcomeWatch {
  let handlerThrew = false;
  let ended = false;

  function end(result: 'finished' | 'aborted'): void {
    if (ended) return;
    ended = true;
    // Before the headers are out, the status code is only some framework's default.
    const status = response.headersSent ? { status: response.statusCode } : {};
    onEnd({ result: handlerThrew ? 'threw' : result, ...status });
  }

  if (response.writableFinished) process.nextTick(end, 'finished');
  // The client may have gone while the request was being verified.
  else if (response.closed) process.nextTick(end, 'aborted');
  response.once('finish', () => end('finished'));
  response.once('close', () => end('aborted'));

  return {
    threw() {
      handlerThrew = true;
    },
  };
}
