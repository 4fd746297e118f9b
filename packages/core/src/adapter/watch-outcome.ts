import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { AuditOutcome } from '@countersign/audit';
import { answerHasBegun } from '@countersign/common';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import type { RefusalError } from '../model/refusal-response.js';
import { type ConnectionWatch, type ConnectionWatcher, watchConnection } from './connection-events.js';

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
  return new Noted(new ResponseWatcher(request, response, onEnd));
}

/** What an application may do with a watcher. */
class Noted implements OutcomeWatch {
  readonly #watcher: ResponseWatcher;

  constructor(watcher: ResponseWatcher) {
    this.#watcher = watcher;
  }

  threw(error: unknown): void {
    this.#watcher.threw(error);
  }

  refused(by: number | RefusalError): void {
    this.#watcher.refusedBy = by;
  }
}

class ResponseWatcher implements ConnectionWatcher {
  refusedBy: number | RefusalError | undefined;
  readonly #response: ServerResponse;
  readonly #stream: ServerHttp2Stream | undefined;
  /** Of pipelined responses only the first has a connection, and the others get no close event: the request's is watched. */
  readonly #socket: Socket | undefined;
  readonly #onEnd: (ending: Ending) => void;
  readonly #connection: ConnectionWatch;
  #handlerThrew = false;
  #timedOut = false;
  #ended = false;

  constructor(request: IncomingMessage, response: ServerResponse, onEnd: (ending: Ending) => void) {
    this.#response = response;
    this.#stream = http2StreamOf(request);
    this.#socket = this.#stream === undefined ? request.socket : undefined;
    this.#onEnd = onEnd;
    this.#connection = watchConnection(request, this);
    // An HTTP/2 response emits `finish` whenever it closes; its stream does only when everything has been sent.
    const written = this.#stream ?? response;
    const cut = this.#cut;
    if (this.#isSent) process.nextTick(() => this.#end(cut));
    // The client may have disconnected while the request was being verified.
    else if (written.closed || this.#socket?.destroyed === true) process.nextTick(() => this.#end(true));
    // Node emits `finish` also for a response that the client cut off, even on a closed connection.
    written.on('finish', () => this.#isSent && this.#end(this.#cut || this.#socket?.destroyed === true));
    written.on('close', this.#endIfClosed);
    this.#stream?.on('end', this.#endIfReset);
  }

  threw(error: unknown): void {
    this.#handlerThrew ||= !answersClient(error) && (this.refusedBy === undefined || error !== this.refusedBy);
  }

  timedOut(): void {
    this.#timedOut = true;
  }

  closed(): void {
    this.#end(true);
  }

  get #cut(): boolean {
    return this.#stream?.aborted === true;
  }

  /** Of a HEAD over HTTP/2 Node finishes the stream before there is an answer, whose end then only `close` says. */
  get #isSent(): boolean {
    const stream = this.#stream;
    return stream === undefined ? this.#response.writableFinished : stream.writableFinished && stream.headersSent;
  }

  readonly #endIfClosed = (): void => {
    this.#end(this.#stream?.rstCode !== constants.NGHTTP2_NO_ERROR || !this.#isSent);
  };

  /** Node never ends a stream whose client resets it with NO_ERROR after the answer and before the end of the body. */
  readonly #endIfReset = (): void => {
    setImmediate(() => this.#stream?.closed === true && this.#endIfClosed());
  };

  #end(aborted: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.delete(this);
    const status = this.#headersAreOut ? sentStatusOf(this.#response, this.#stream) : undefined;
    const result = this.#handlerThrew ? 'threw' : !aborted ? 'finished' : this.#timedOut ? 'timed_out' : 'aborted';
    const { refusedBy } = this;
    this.#onEnd({
      outcome: status === undefined ? { result } : { result, status },
      refused: typeof refusedBy === 'number' && (status ?? refusedBy) === refusedBy,
    });
  }

  /** Before that, the status code is a framework's default, or the response waits for its turn on the connection. */
  get #headersAreOut(): boolean {
    const response = this.#response;
    return (
      answerHasBegun(response) && (this.#stream !== undefined || response.socket !== null || response.writableFinished)
    );
  }
}

/** The status in the head that was sent: Node lets `statusCode` be changed after it, without effect. */
function sentStatusOf(response: ServerResponse, stream: ServerHttp2Stream | undefined): number {
  // Node has no public name for the head of HTTP/1.
  const { _header: head } = response as { readonly _header?: unknown };
  const sent = stream === undefined ? /^HTTP\/\S+ (\d{3})/.exec(String(head))?.[1] : stream.sentHeaders?.[':status'];
  return Number(sent ?? response.statusCode);
}

/**
 * Whether an error states a 4xx status. Frameworks and body parsers throw such errors to answer, and which of them do, and
 * before or after the permit of the route, differs.
 */
function answersClient(error: unknown): boolean {
  const { statusCode, status = statusCode } = (error ?? {}) as { statusCode?: unknown; status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500;
}
