import type { ServerResponse } from 'node:http';
import type { AuditOutcome } from '../audit/event.js';
import { http2StreamOf } from '../body/http2-stream.js';
import { onTimeout } from './on-timeout.js';

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
  let timedOut = false;
  const endWatch = onTimeout(response, () => {
    timedOut = true;
  });

  function end(result: 'finished' | 'aborted'): void {
    if (ended) return;
    ended = true;
    endWatch();
    // Before the headers are out, the status code is only some framework's default.
    const status = response.headersSent ? { status: response.statusCode } : {};
    onEnd({ result: handlerThrew ? 'threw' : cut(result), ...status });
  }

  function cut(result: 'finished' | 'aborted'): 'finished' | 'aborted' | 'timed_out' {
    return result === 'aborted' && timedOut ? 'timed_out' : result;
  }

  const stream = http2StreamOf(response);
  // HTTP/2's response says that it has finished whenever it closes, its stream says so when all has been handed over.
  const written = stream ?? response;
  // What the client cut off has been finished by Node itself.
  const finish = () => end(stream?.aborted === true ? 'aborted' : 'finished');

  if (written.writableFinished) process.nextTick(finish);
  // The client may have gone while the request was being verified.
  else if (written.closed) process.nextTick(end, 'aborted');
  written.once('finish', finish);
  written.once('close', () => end('aborted'));

  return {
    threw() {
      handlerThrew = true;
    },
  };
}
