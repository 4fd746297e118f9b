import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerHasBegun, answerHasEnded, dropFurther, HeldAnswer, showSign } from '@countersign/common';
import { http2StreamOf } from '../stages/body/http2-stream.js';
import type { RefusalResponse } from '../model/refusal-response.js';

/** Sends a refusal through the host's own response. */
export type Respond = (response: RefusalResponse) => void;

/**
 * What the hook of a refused request waits for, where the framework would go on, or answer a second time, once it
 * settles. A promise for each request: one for all would hold every request for ever.
 */
export function neverSettling(): Promise<never> {
  return new Promise(() => {});
}

/**
 * Closes the connection after any answer to a request that asked for another protocol, where a plugin has the framework
 * route it: Node has given the connection away, and no time limit of a server ends it.
 */
export function closeUpgrade({
  request,
  response,
}: {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}): void {
  if ('upgrade' in request && request.upgrade === true) response.once('finish', () => request.socket.destroySoon());
}

/** Where a framework keeps the fields of an answer. */
export interface AnswerFields {
  getHeaders(): object;
  removeHeader(name: string): unknown;
}

/**
 * Keeps the refusal that a framework is going to send: while its hooks are at work, a handler may go on and set the status
 * of its own answer, and write after the end. `reply`: where the framework keeps the fields of the answer.
 */
export function keepRefusal(response: ServerResponse, status: number, reply: AnswerFields): void {
  clearFields(response, reply);
  response.statusCode = status;
  Object.defineProperty(response, 'statusCode', { get: () => status, set() {} });
  dropBytesOfHead(response);
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  response.end = (...args: unknown[]) => {
    end(...args);
    HeldAnswer.of(response).dropRest();
    return response;
  };
}

/** Of bytes in an answer to HEAD, Node would fail if its server has the option `rejectNonStandardBodyWrites`. */
export function dropBytesOfHead(response: ServerResponse): void {
  if (response.req.method !== 'HEAD') return;
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  response.write = (...args: unknown[]) => {
    for (const done of args) if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  response.end = (...args: unknown[]) => end(...args.filter((arg) => typeof arg === 'function'));
}

/** How long the connection of a client that is still sending stays open, so that the client can read our answer. */
const lingerMilliseconds = 2000;

/** The ends that are put off. */
const lingering = new WeakSet<object>();

/**
 * If the body of a request of HTTP/1 is still coming, its answer says that the connection closes, whoever sends it: the rest
 * is read for a while only, and a proxy would send the next request of somebody else after it. The answer is sent at once
 * and ended later: closing while bytes still arrive would reset the connection and may lose it.
 */
export function closeUnread(response: ServerResponse): void {
  const { req: request } = response;
  // Requests of Fastify's `inject` do not say.
  const { complete = true } = request as { readonly complete?: boolean };
  // HTTP/2 closes the stream alone, and forbids the Connection field (RFC 9113 §8.2.2).
  const isComing = !complete && !request.destroyed && http2StreamOf(request) === undefined;
  // oxlint-disable-next-line typescript/unbound-method -- called with its response below
  const endOwn: () => unknown = response.end;
  if (!isComing || lingering.has(endOwn)) return;
  response.shouldKeepAlive = false;
  // Node would believe a field of the application.
  if (response.hasHeader('connection') && !response.headersSent) response.setHeader('connection', 'close');
  function endLater(...args: readonly unknown[]): ServerResponse {
    const [chunk, encoding = 'utf8'] = args.filter((arg) => typeof arg !== 'function');
    for (const done of args) if (typeof done === 'function') response.once('finish', done as () => void);
    const hasBytes = (typeof chunk === 'string' || chunk instanceof Uint8Array) && chunk.length > 0;
    // Of nothing, Node would fail for HEAD if its server has the option `rejectNonStandardBodyWrites`.
    if (hasBytes) response.write(chunk, encoding as BufferEncoding);
    response.flushHeaders();
    const hideEnd = showSign(response, 'writableEnded');
    // An application that waits for `finish` may answer again before it: a time-out, say.
    dropFurther(response);
    const timer = setTimeout(end, lingerMilliseconds).unref();
    // An application may answer late, when all of it has come.
    if (request.complete) end();
    else request.once('close', end);
    function end(): void {
      clearTimeout(timer);
      hideEnd();
      // On a lost connection, Node takes an end without bytes for one that was sent, out of turn, and fails by an assertion.
      if (response.socket?.destroyed !== true) endOwn.call(response);
    }
    return response;
  }
  lingering.add(endLater);
  Object.assign(response, { end: endLater });
}

const ofContent = /^(?:trailer|transfer-encoding|content-(?:encoding|language|range))$/i;

/** What caches follow in place of Cache-Control: the targeted fields of RFC 9213, and older ones. */
const ofCaches = /-cache-control$|^(?:surrogate-control|edge-control|x-accel-expires|expires)$/i;

/**
 * Removes what the application may have said of its own answer. Of ours it is wrong: Node throws, no client reads it, or a
 * cache gives the refusal of one to another. `reply`: where the framework keeps fields, too.
 */
export function clearFields(response: ServerResponse, reply: AnswerFields = response): void {
  if (response.headersSent) return;
  removeFields(ofContent, response, reply);
  removeFields(ofCaches, response, reply);
}

/** Only those that are there: without Transfer-Encoding, Node would not chunk an answer whose length compression removes. */
function removeFields(which: RegExp, response: ServerResponse, reply: AnswerFields): void {
  const names = Object.keys({ ...response.getHeaders(), ...reply.getHeaders() });
  for (const name of names) if (which.test(name)) removeField(name, response, reply);
}

function removeField(name: string, response: ServerResponse, reply: AnswerFields): void {
  reply.removeHeader(name);
  // Fastify 5.0 keeps those of Node's response.
  response.removeHeader(name);
}

/**
 * Keeps an answer to an agent from other clients, whatever was said before for all answers. Shared caches do not store
 * answers to requests with Authorization (RFC 9111 §3.5), but ignore signatures.
 */
export function keepFromSharedCaches(response: ServerResponse, reply: AnswerFields): void {
  if (answerHasBegun(response)) return;
  removeFields(ofCaches, response, reply);
  const { 'cache-control': said = '' } = reply.getHeaders() as { readonly 'cache-control'?: unknown };
  const directives = privately(String(said));
  if (directives === said) return;
  removeField('cache-control', response, reply);
  response.setHeader('cache-control', directives);
}

/** What a value of Cache-Control says of an answer that no shared cache may keep. */
function privately(said: string): string {
  // Within quotes a comma separates nothing, and `private="…"` concerns some fields only.
  const directives = said.includes('"') ? [] : said.split(',').map((directive) => directive.trim().toLowerCase());
  if (directives.some((directive) => ['private', 'no-store'].includes(directive))) return said;
  return ['private', ...directives.filter((one) => one !== '' && one !== 'public' && !one.startsWith('s-maxage'))].join(
    ', ',
  );
}

/**
 * Answers with a refusal: the same bytes on every host on node:http. Does nothing once an answer has begun. Discard the
 * request's body first, so that a short remainder is drained.
 *
 * What a handler writes afterwards is dropped: Node would emit an error that nobody hears, and HTTP/2 reset the stream.
 */
export function sendRefusal(response: ServerResponse, refused: RefusalResponse): void {
  if (answerHasBegun(response) || answerHasEnded(response)) return;
  HeldAnswer.of(response).refuse(() => {
    closeUnread(response);
    clearFields(response);
    response.writeHead(refused.status, { ...refused.headers, 'content-length': Buffer.byteLength(refused.body) });
    response.end(response.req.method === 'HEAD' ? '' : refused.body);
  });
}
