import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditOutcome } from '@countersign/audit';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import type { RefusalError } from '../model/refusal-error.js';
import { onConnection } from './on-connection.js';
import { onTimeout } from './on-timeout.js';

/** The handle on a watched answer. */
export interface OutcomeWatch {
  /** Says what was thrown. If it is what the host refused by, no handler failed. */
  threw(error: unknown): void;
  /** Says that the host refuses before any handler runs: by an answer of this status, or by this error. */
  refused(by: number | RefusalError): void;
}

/** How an answer ended. */
export interface Ending {
  readonly outcome: AuditOutcome;
  /** Whether the answer was what the host refused with, and not one that the application gave in spite of it. */
  readonly refused: boolean;
}

/**
 * Calls back exactly once when the answer has ended, however it ends: handed over whole, or the connection closed
 * before that. Say `threw()` when the handler threw; the outcome then carries the status that was sent for it.
 */
export function watchOutcome(
  request: IncomingMessage,
  response: ServerResponse,
  onEnd: (ending: Ending) => void,
): OutcomeWatch {
  let handlerThrew = false;
  let refusedBy: number | RefusalError | undefined;
  let ended = false;
  let timedOut = false;
  const stream = http2StreamOf(request);
  // Of pipelined requests all but the first answer have no connection yet, and are never told that it has closed: that
  // is asked of the request's.
  const socket = stream === undefined ? request.socket : undefined;
  const endWatches = [
    onTimeout(request, () => {
      timedOut = true;
    }),
    ...(socket === undefined ? [] : [onConnection(socket, 'close', () => end('aborted'))]),
  ];

  function end(result: 'finished' | 'aborted'): void {
    if (ended) return;
    ended = true;
    for (const endWatch of endWatches) endWatch();
    const status = headersAreOut() ? response.statusCode : undefined;
    onEnd({
      outcome: { result: handlerThrew ? 'threw' : cut(result), ...(status !== undefined && { status }) },
      refused: typeof refusedBy === 'number' && (status ?? refusedBy) === refusedBy,
    });
  }

  function cut(result: 'finished' | 'aborted'): 'finished' | 'aborted' | 'timed_out' {
    return result === 'aborted' && timedOut ? 'timed_out' : result;
  }

  /** Before they are, the status code is only some framework's default, or waits for its turn on the connection. */
  function headersAreOut(): boolean {
    return response.headersSent && (stream !== undefined || response.socket !== null || response.writableFinished);
  }

  function finish(): void {
    // What the client cut off has been finished by Node itself, also on a connection that is no more.
    end(stream?.aborted === true || socket?.destroyed === true ? 'aborted' : 'finished');
  }

  // HTTP/2's response says that it has finished whenever it closes, its stream says so when all has been handed over.
  const written = stream ?? response;
  if (written.writableFinished) process.nextTick(end, stream?.aborted === true ? 'aborted' : 'finished');
  // The client may have gone while the request was being verified.
  else if (written.closed || socket?.destroyed === true) process.nextTick(end, 'aborted');
  written.once('finish', finish);
  written.once('close', () => end('aborted'));

  return {
    threw(error) {
      handlerThrew ||= refusedBy === undefined || error !== refusedBy;
    },
    refused(by) {
      refusedBy = by;
    },
  };
}
