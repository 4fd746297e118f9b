import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditOutcome } from '@countersign/audit';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import type { RefusalError } from '../model/refusal-response.js';
import { onConnection, onTimeout } from './connection-events.js';

/** Notes events of a watched response. */
export interface OutcomeWatch {
  /** Notes a thrown error. No handler failed if it answers the client, or is the refusal that the host threw itself. */
  threw(error: unknown): void;
  /** Notes that the host refuses before any handler runs: with an answer of this status, or by throwing this error. */
  refused(by: number | RefusalError): void;
}

/** How a response ended. */
export interface Ending {
  readonly outcome: AuditOutcome;
  /** Whether the response was the host's refusal, and not one that the application sent in spite of it. */
  readonly refused: boolean;
}

/**
 * Calls back exactly once when the response has ended: sent completely, or cut off by a closed connection. Call `threw()`
 * if the handler threw; the outcome then carries the status that was sent for it.
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
  // Of pipelined responses only the first has a connection, and the others get no close event: watch the request's socket.
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

  /** Before that, the status code is a framework's default, or the response waits for its turn on the connection. */
  function headersAreOut(): boolean {
    return response.headersSent && (stream !== undefined || response.socket !== null || response.writableFinished);
  }

  function finish(): void {
    // Node emits `finish` also for a response that the client cut off, even on a closed connection.
    end(stream?.aborted === true || socket?.destroyed === true ? 'aborted' : 'finished');
  }

  // An HTTP/2 response emits `finish` whenever it closes; its stream does only when everything has been sent.
  const written = stream ?? response;
  if (written.writableFinished) process.nextTick(end, stream?.aborted === true ? 'aborted' : 'finished');
  // The client may have disconnected while the request was being verified.
  else if (written.closed || socket?.destroyed === true) process.nextTick(end, 'aborted');
  written.once('finish', finish);
  written.once('close', () => end('aborted'));

  return {
    threw(error) {
      handlerThrew ||= !answersClient(error) && (refusedBy === undefined || error !== refusedBy);
    },
    refused(by) {
      refusedBy = by;
    },
  };
}

/**
 * Whether an error states a 4xx status. Frameworks and body parsers throw such errors to answer, and which of them do, and
 * before or after the permit of the route, differs.
 */
function answersClient(error: unknown): boolean {
  const { statusCode, status = statusCode } = (error ?? {}) as { statusCode?: unknown; status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500;
}
