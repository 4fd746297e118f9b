import { randomUUID } from 'node:crypto';
import { readBounded } from '@countersign/common';
import type { NamedList } from '../decide/catalogue.js';
import { memberOf } from '../decide/json-rpc.js';
import { listPages } from '../decide/list-pages.js';
import type { ClientRequest } from '../wire/message.js';
import { parseServerJson } from '../wire/server-json.js';
import type { HttpParts } from './exchange.js';
import { filterEvents } from './event-stream.js';
import type { UpstreamAnswer } from './upstream.js';

const maxListBytes = 16 * 1024 * 1024;
const timeoutMilliseconds = 10_000;

/**
 * Asks the server for a list, in the session of the request that names something which is not known yet. Undefined, or a
 * rejection: it gave no answer. `no_session`: it has forgotten the session.
 */
export async function listItems(
  method: NamedList,
  request: ClientRequest,
  requestHeaders: Headers,
  { upstream, ownHeaders }: HttpParts,
): Promise<readonly unknown[] | 'no_session' | undefined> {
  const headers = new Headers([...requestHeaders].filter(([name]) => !/^mcp-(?:name$|param-)/.test(name)));
  if (headers.has('mcp-method')) headers.set('mcp-method', method);
  for (const [name, value] of ownHeaders) headers.set(name, value);
  const signal = AbortSignal.timeout(timeoutMilliseconds);
  let hasSession = true;
  const items = await listPages(method, request, async (params) => {
    const id = `countersign-${randomUUID()}`;
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    const answer = await upstream({ method: 'POST', headers, body, signal });
    if (answer.status === 404 && headers.has('mcp-session-id')) hasSession = false;
    const message = await answerTo(id, answer);
    return message === undefined ? undefined : (memberOf(message, 'result') ?? {});
  });
  return hasSession ? items : 'no_session';
}

/** The message that answers this id, in JSON or as an event. */
async function answerTo(id: string, { headers, body }: UpstreamAnswer): Promise<unknown> {
  const [type = ''] = (headers.get('content-type') ?? '').toLowerCase().split(';');
  if (type.trim() === 'text/event-stream') return await eventFor(id, body);
  const bytes = await readBounded(body, maxListBytes);
  if (bytes === undefined || type.trim() !== 'application/json') return undefined;
  const message = parseServerJson(Buffer.from(bytes).toString());
  return isAnswer(message, id) ? message : undefined;
}

async function eventFor(id: string, body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const found: unknown[] = [];
  const events = filterEvents(body, async (message) => {
    if (isAnswer(message, id)) found.push(message);
    return message;
  });
  // Each event is looked at as it comes, and the stream left with the right one.
  while (found.length === 0 && (await events.next()).done !== true);
  await events.return();
  return found[0];
}

function isAnswer(message: unknown, id: string): boolean {
  return memberOf(message, 'id') === id && memberOf(message, 'method') === undefined;
}
