import { readBounded } from '@countersign/common';
import { pipeline } from 'node:stream/promises';
import { createAnswerFilter, type MapMessage, type PendingRequest } from '../wire/answer-filter.js';
import { filterEvents } from './event-stream.js';
import {
  answerBadGateway,
  answerNoMethod,
  answerNoSession,
  eventPurpose,
  type Exchange,
  type HttpParts,
} from './exchange.js';
import { revalidateMilliseconds } from '../server/lapse.js';
import { whenClosed } from '../server/node-messages.js';
import { fieldsForClient } from './fields.js';
import { orAborted } from './or-aborted.js';
import { parseServerJson } from '../wire/server-json.js';
import type { UpstreamAnswer } from './upstream.js';

/** What goes to the server. */
interface Forwarded {
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | undefined;
}

/** An answer of the server, and how its messages are filtered. */
interface Relayed {
  readonly answer: UpstreamAnswer;
  readonly fields: Record<string, string>;
  readonly map: MapMessage;
  readonly sealId: (id: string) => string;
  readonly gone: AbortController;
}

/** Most bytes of an answer that is not a stream. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** The caller does not count any more. */
class CallerEnded extends Error {}

/** Sends a request to the server, and its answer back to the client as far as this caller may see it. */
export async function relay(
  exchange: Exchange,
  { method, headers, body }: Forwarded,
  { upstream, ownHeaders, seal }: HttpParts,
  pending?: PendingRequest,
): Promise<void> {
  const { response, guard, caller, decisions } = exchange;
  // Aborted, the server's answer ends too: nobody would read it.
  const gone = new AbortController();
  whenClosed(response, () => gone.abort());
  const map = createAnswerFilter({
    caller,
    decisions,
    pendingOf: (id) => (id === pending?.message.id ? pending : undefined),
  });
  try {
    for (const [name, value] of ownHeaders) headers.set(name, value);
    const answer = await upstream({ method, headers, body, signal: gone.signal });
    const fields = fieldsForClient(answer.headers);
    const session = fields.get('mcp-session-id');
    if (session !== null) fields.set('mcp-session-id', seal.seal(session, 'session', caller));
    const events = eventPurpose(session ?? headers.get('mcp-session-id') ?? '');
    const sealId = (id: string) => seal.seal(id, events, caller);
    await passOn(exchange, { answer, fields: Object.fromEntries(fields), map, sealId, gone });
  } catch (error) {
    if (!gone.signal.aborted && !(error instanceof CallerEnded)) {
      guard.report('the MCP server cannot be reached, or its answer not be read', String(error));
    }
    if (response.headersSent) response.destroy();
    else answerBadGateway(exchange, pending?.message.id);
  } finally {
    await pending?.decision.end({ result: 'aborted' });
  }
}

async function passOn(exchange: Exchange, relayed: Relayed): Promise<void> {
  const { answer } = relayed;
  const { status, headers } = answer;
  const coding = headers.get('content-encoding') ?? 'identity';
  // Our own credentials are wrong, or the server is elsewhere: nothing that the client could mend.
  const isOurFault = status === 401 || status === 407 || (status >= 300 && status < 400);
  if (coding !== 'identity' || isOurFault) throw new Error(`status ${status}, coding ${coding}`);
  const [type = ''] = (headers.get('content-type') ?? '').toLowerCase().split(';');
  // The client must learn that its session is gone, or that there are no streams: some servers say so in plain text.
  if (type.trim() === 'text/plain' && status === 404) return answerNoSession(exchange);
  if (type.trim() === 'text/plain' && status === 405) return answerNoMethod(exchange);
  if (type.trim() === 'text/event-stream') await passEvents(exchange, relayed);
  else await passWhole(exchange, relayed, type.trim());
}

/** Each event goes on at once. Nothing more is sent to a caller who has ended meanwhile. */
async function passEvents(
  { response, guard, caller }: Exchange,
  { answer, fields, map, sealId, gone }: Relayed,
): Promise<void> {
  async function endIfLapsed(): Promise<void> {
    const lapsed = await guard.revalidate(caller);
    if (lapsed !== undefined) throw new CallerEnded(lapsed.code);
  }
  const timer = setInterval(
    () => void endIfLapsed().catch((reason: unknown) => gone.abort(reason)),
    revalidateMilliseconds,
  ).unref();
  async function mapForCaller(message: unknown): Promise<unknown> {
    await endIfLapsed();
    return await map(message);
  }
  const events = filterEvents(answer.body, mapForCaller, sealId);
  response.writeHead(answer.status, fields);
  response.flushHeaders();
  try {
    // A response of HTTP/2 that has closed does not say so to a pipeline, which would wait for ever.
    await orAborted(pipeline(events, response, { signal: gone.signal }), gone.signal);
  } finally {
    clearInterval(timer);
  }
}

async function passWhole(
  { response, guard, caller }: Exchange,
  { answer, fields, map }: Relayed,
  type: string,
): Promise<void> {
  const bytes = await readBounded(answer.body, maxAnswerBytes);
  if (bytes === undefined) throw new Error('the answer is too long');
  const text = bytes.length === 0 ? '' : await filtered(Buffer.from(bytes), type, map);
  const lapsed = await guard.revalidate(caller);
  if (lapsed !== undefined) throw new CallerEnded(lapsed.code);
  response.writeHead(answer.status, { ...fields, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** A type that cannot be read could hold anything. The very bytes pass if nothing changes. */
async function filtered(bytes: Buffer, type: string, map: MapMessage): Promise<string | Buffer> {
  if (type !== 'application/json') throw new Error(`the answer has the type ${type}`);
  const message = parseServerJson(bytes.toString());
  const mapped = await map(message);
  return mapped === message ? bytes : JSON.stringify(mapped ?? null);
}
