import {
  type ClientHttp2Session,
  connect,
  constants,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { boundString, escapeUnprintable } from '@countersign/common';

/** Statuses of gRPC that the client treats differently. */
export const grpcStatus = { ok: 0, invalidArgument: 3, permissionDenied: 7, unavailable: 14 } as const;

/** The Workload API refused a call, or cannot be reached (status 14). */
export class WorkloadApiError extends Error {
  override readonly name = 'WorkloadApiError';
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

export interface Call {
  /** Path of the socket. */
  readonly socket: string;
  readonly method: string;
  readonly request: Buffer;
  readonly signal?: AbortSignal;
}

/**
 * How often a stream asks whether its server is alive, and how long it waits for the answer. The servers of gRPC for Go
 * end a connection that asks more often than every 5 minutes.
 */
const liveness = { everyMilliseconds: 310_000, limitMilliseconds: 10_000 };

/** Of all domains together: the server is local and trusted, but publishers of bundles are not. */
const longestMessage = 64 * 1024 * 1024;
const headBytes = 5;
const longestReason = 200;

/**
 * Calls a method of the Workload API with gRPC over HTTP/2 on a Unix socket, and yields the messages of the answer.
 *
 * @throws WorkloadApiError if the status is not 0. An answer that was cut off has status 14, and so has a server that does
 * not answer a PING in time.
 */
export async function* callWorkloadApi(
  { socket, method, request, signal }: Call,
  asking: typeof liveness = liveness,
): AsyncGenerator<Buffer, void> {
  const session = connect('http://localhost', { createConnection: () => connectSocket(socket) });
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
  };
  session.on('error', fail);
  const stopAsking = askWhetherAlive(session, asking);
  const stream = session.request({
    ':method': 'POST',
    ':path': `/SpiffeWorkloadAPI/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    // Required by SPIFFE_Workload_API §4.2, against requests that a server is tricked into.
    'workload.spiffe.io': 'true',
  });
  const status = watchStatus(stream);
  stream.on('error', fail);
  const cancel = (): void => stream.close(constants.NGHTTP2_CANCEL);
  signal?.addEventListener('abort', cancel);
  try {
    if (signal?.aborted === true) cancel();
    stream.end(frame(request));
    yield* readMessages(stream);
  } catch (error) {
    if (error instanceof WorkloadApiError) throw error;
    fail(error as Error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    stopAsking();
    session.destroy();
  }
  const { code, reason } = status();
  if (code === grpcStatus.ok && failure === undefined) return;
  const why =
    reason === '' ? (failure?.message ?? 'the stream ended') : escapeUnprintable(boundString(reason, longestReason));
  throw new WorkloadApiError(code ?? grpcStatus.unavailable, why, { cause: failure });
}

/** Destroys a session whose peer does not answer: a process that is stopped keeps its connections. */
function askWhetherAlive(session: ClientHttp2Session, asking: typeof liveness): () => void {
  let timer: NodeJS.Timeout | undefined;
  const ask = (): void => {
    // A throw here would end the process. Node emits `connect` for a destroyed session, too.
    if (session.destroyed) return;
    timer = setTimeout(() => session.destroy(new Error('it does not answer')), asking.limitMilliseconds).unref();
    session.ping(() => {
      clearTimeout(timer);
      if (!session.destroyed) timer = setTimeout(ask, asking.everyMilliseconds).unref();
    });
  };
  session.once('connect', ask);
  return () => clearTimeout(timer);
}

/** The status is in the trailers, or in the headers if there is no message. */
function watchStatus(stream: ClientHttp2Stream): () => { readonly code: number | undefined; readonly reason: string } {
  let code: number | undefined;
  let reason = '';
  const note = (headers: IncomingHttpHeaders): void => {
    const text = headers['grpc-status'];
    if (typeof text !== 'string') return;
    code = /^\d{1,2}$/.test(text) ? Number(text) : grpcStatus.unavailable;
    reason = decode(String(headers['grpc-message'] ?? ''));
  };
  stream.on('response', note).on('trailers', note);
  return () => ({ code, reason });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

async function* readMessages(stream: AsyncIterable<unknown>): AsyncGenerator<Buffer, void> {
  let chunks: Buffer[] = [];
  let heldBytes = 0;
  let neededBytes = headBytes;
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    heldBytes += (chunk as Buffer).length;
    // Joined once for each message: a long one has thousands of chunks.
    if (heldBytes < neededBytes) continue;
    let held = Buffer.concat(chunks);
    for (;;) {
      neededBytes = headBytes;
      if (held.length < neededBytes) break;
      const length = held.readUInt32BE(1);
      if (held[0] !== 0 || length > longestMessage) {
        throw new WorkloadApiError(grpcStatus.unavailable, 'a message is compressed or too long');
      }
      neededBytes += length;
      if (held.length < neededBytes) break;
      yield held.subarray(headBytes, neededBytes);
      held = held.subarray(neededBytes);
    }
    chunks = [held];
    heldBytes = held.length;
  }
}
