import { pipeline } from 'node:stream/promises';
import { type AnswerFilter, createAnswerFilter, type PendingRequest } from './answer-filter.js';
import { filterEvents } from './event-stream.js';
import { errorCodes } from '../decide/json-rpc.js';
import { answerError, type Exchange, type HttpParts } from './exchange.js';
import { fieldsForClient } from './fields.js';
import { readBounded } from './read-body.js';
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
  readonly filter: AnswerFilter;
}

/** Most bytes of an answer that is not a stream. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** How often it is checked whether the caller of a silent stream still counts. */
const revalidateMilliseconds = 5000;

/** Sends a request to the server, and its answer back to the client as far as this caller may see it. */
export async function relay(
  exchange: Exchange,
  { method, headers, body }: Forwarded,
  { upstream, ownHeaders, seal }: HttpParts,
  pending?: PendingRequest,
): Promise<void> {
  const { response, guard, caller } = exchange;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const filter = createAnswerFilter(exchange, seal, pending);
  try {
    for (const [name, value] of ownHeaders) headers.set(name, value);
    const answer = await upstream({ method, headers, body, signal: gone.signal });
    const fields = fieldsForClient(answer.headers);
    const session = fields.get('mcp-session-id');
    if (session !== null) fields.set('mcp-session-id', seal.seal(session, 'session', caller));
    await passOn(exchange, { answer, fields: Object.fromEntries(fields), filter });
  } catch (error) {
    if (!gone.signal.aborted)
      guard.report(`the MCP server cannot be reached, or its answer not be read: ${String(error)}`);
    if (response.headersSent) response.destroy();
    else answerBadGateway(exchange, filter);
  } finally {
    await filter.end();
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
  if (type.trim() === 'text/event-stream') await passEvents(exchange, relayed);
  else await passWhole(exchange, relayed, type.trim());
}

/** Each event goes on at once. Nothing more is sent to a caller who has ended meanwhile. */
async function passEvents({ response, guard, caller }: Exchange, { answer, fields, filter }: Relayed): Promise<void> {
  async function endIfLapsed(): Promise<void> {
    const lapsed = await guard.revalidate(caller);
    if (lapsed !== undefined) throw new Error(`the caller has ended: ${lapsed.code}`);
  }
  const lapsed = new AbortController();
  const timer = setInterval(() => void endIfLapsed().catch(() => lapsed.abort()), revalidateMilliseconds).unref();
  const events = filterEvents(answer.body, async (message) => {
    await endIfLapsed();
    return await filter.map(message);
  });
  response.writeHead(answer.status, fields);
  response.flushHeaders();
  try {
    await pipeline(events, response, { signal: lapsed.signal });
  } finally {
    clearInterval(timer);
  }
}

async function passWhole({ response }: Exchange, { answer, fields, filter }: Relayed, type: string): Promise<void> {
  const body = await readBounded(answer.body, maxAnswerBytes);
  if (!body.ok) throw new Error('the answer is too long');
  const { bytes } = body;
  const text = bytes.length === 0 ? '' : await filtered(Buffer.from(bytes), type, filter);
  response.writeHead(answer.status, { ...fields, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** A type that cannot be read could hold anything. The very bytes pass if nothing changes. */
async function filtered(bytes: Buffer, type: string, filter: AnswerFilter): Promise<string | Buffer> {
  if (type !== 'application/json') throw new Error(`the answer has the type ${type}`);
  const message: unknown = JSON.parse(bytes.toString());
  const mapped = await filter.map(message);
  return mapped === message ? bytes : JSON.stringify(mapped ?? null);
}

function answerBadGateway(exchange: Exchange, { id }: AnswerFilter): void {
  answerError(exchange, 502, { code: errorCodes.internal, message: 'The MCP server gave no answer' }, { id });
}
