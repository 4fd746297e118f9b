import { AsyncLocalStorage } from 'node:async_hooks';
import { dropFurther } from '@countersign/common';
import type { Caller, Guard } from '@countersign/core';
import { callerOf as callerOfRequest } from '@countersign/core/adapter';
import type { McpDecisions } from '../decide/decisions.js';
import { openStream, tooManyStreams } from '../decide/open-streams.js';
import { nobody } from '../decide/denial.js';
import { callerKey } from '../decide/task-owners.js';
import { readBody } from '../http/read-body.js';
import { reportNobody } from './caller-for.js';
import { type EarlyAnswer, earlyAnswer, mostMessages, refuseEarly } from './early-refusal.js';
import { callerOfInfo, mcpBridge } from './identity.js';
import { endingWithCaller, endWhenLapsed } from './lapse.js';
import { isNodeRequest, isNodeResponse, whenClosed } from './node-messages.js';
import { ownEvents } from './owned-events.js';
import { reportOnce } from './report-once.js';

/** The parts of a transport that take requests of HTTP. Each is absent in transports of other kinds. */
interface HttpTransport {
  sessionId?: string | undefined;
  /** Of the transport of SDK 1 with a separate stream of events: the response that is the stream. */
  res?: unknown;
  handleRequest?: TransportMethod;
  handlePostMessage?: TransportMethod;
  /** Of SDK 2, for one message of the revision 2026-07-28. `guardHandler` stands before it. */
  handleMessage?: TransportMethod;
}

type TransportMethod = (request: unknown, ...rest: unknown[]) => unknown;

/** Whose key no caller has. */
const noOpener = '';

const refusedNobody = earlyAnswer(401, { jsonrpc: '2.0', ...nobody, id: null });
const refusedStream = earlyAnswer(429, { jsonrpc: '2.0', error: tooManyStreams, id: null });

const maxMessageBytes = 4 * 1024 * 1024;

/**
 * The session of one server. The SDK knows a session by its id alone: whoever learns the id could answer questions that
 * were asked of its opener, and read its messages. None of that reaches a request handler, so it is refused before.
 */
export class OwnedSession {
  readonly #guard: Guard;
  readonly #decisions: McpDecisions;
  readonly #learn: (message: unknown) => void;
  /** Set anew for each request, so that no context of an earlier one counts. */
  readonly #sender = new AsyncLocalStorage<Caller | undefined>();
  #opener: string | undefined;
  #isHttp = false;

  /** `learn`: what the server knows of what a message names. */
  constructor(guard: Guard, decisions: McpDecisions, learn: (message: unknown) => void) {
    this.#guard = guard;
    this.#decisions = decisions;
    this.#learn = learn;
  }

  /** Whether the server is connected to a transport of HTTP. */
  get isHttp(): boolean {
    return this.#isHttp;
  }

  /** Who sent the request of HTTP that is being read, for messages of which the SDK does not say it. */
  get sender(): Caller | undefined {
    return this.#sender.getStore();
  }

  /** The caller of `initialize` owns the session. */
  opened(caller: Caller): void {
    this.#opener ??= callerKey(caller);
  }

  /** Puts the checks before the transport. */
  watch(transport: unknown): void {
    if (typeof transport !== 'object' || transport === null) return;
    const http = transport as HttpTransport;
    const { handleRequest, handlePostMessage, handleMessage } = http;
    if (typeof handleMessage === 'function') this.#isHttp = true;
    if (typeof handleRequest === 'function') {
      this.#isHttp = true;
      ownEvents(transport, () => http.sessionId);
      http.handleRequest = (request, ...rest) => this.#handle(http, handleRequest.bind(http), request, rest);
    }
    if (typeof handlePostMessage === 'function') {
      this.#isHttp = true;
      this.#ownStream(http.res);
      http.handlePostMessage = async (request, ...rest) => {
        const caller = callerOfMessage(request, rest[0]);
        const refused = await this.#refusalFor(http, caller);
        if (refused !== undefined) return answerWith(refused, rest[0]);
        return await this.#sender.run(caller, () => handlePostMessage.call(http, request, ...rest));
      };
    }
  }

  async #handle(http: HttpTransport, handle: TransportMethod, request: unknown, rest: unknown[]): Promise<unknown> {
    const [second, parsedBody] = rest;
    const caller = callerOfMessage(request, second);
    const refused = await this.#refusalFor(http, caller);
    if (refused !== undefined) return answerWith(refused, second);
    const delivered = async (...given: Parameters<TransportMethod>): Promise<unknown> =>
      await this.#sender.run(caller, () => handle(...given));
    if (caller === undefined) return await delivered(request, ...rest);
    let body = parsedBody;
    if (this.#decisions.requiresScopes) {
      const message = await messageOf(request, second, parsedBody);
      if (!message.ok) return answerWith(message.answer, second);
      for (const one of [message.value].flat().slice(0, mostMessages)) this.#learn(one);
      const early = await refuseEarly(message.value, caller, { guard: this.#guard, decisions: this.#decisions });
      if (early !== undefined) return answerWith(early, second);
      // What was read from Node's request can be read only once.
      if (isNodeRequest(request)) body ??= message.value;
    }
    const isStream = memberIn(request, 'method') === 'GET';
    const release = isStream ? await openStream(this.#guard, caller, 'stream') : () => {};
    if (release === undefined) return answerWith(refusedStream, second);
    if (!isNodeResponse(second)) {
      const answer = await delivered(request, ...rest).catch((error: unknown) => {
        release();
        throw error;
      });
      if (answer instanceof Response) return endingWithCaller(this.#guard, caller, answer, release);
      release();
      return answer;
    }
    whenClosed(second, release);
    endWhenLapsed(this.#guard, caller, second);
    return await delivered(request, second, body);
  }

  /** The stream of events belongs to whoever asked for it, before any message has come. Nobody gets one. */
  #ownStream(stream: unknown): void {
    const response = isNodeResponse(stream) ? stream : undefined;
    const caller = response && callerOfRequest(response.req);
    this.#opener = caller === undefined ? noOpener : callerKey(caller);
    if (response === undefined) return;
    if (caller !== undefined) return endWhenLapsed(this.#guard, caller, response);
    const refused = this.#refuseNobody();
    if (refused === undefined) return;
    answerWith(refused, response);
    // The transport is going to answer, too.
    dropFurther(response);
  }

  /** Undefined for any verified caller before there is a session, and then for its owner. */
  async #refusalFor({ sessionId }: HttpTransport, caller: Caller | undefined): Promise<EarlyAnswer | undefined> {
    if (sessionId === undefined) return caller === undefined ? this.#refuseNobody() : undefined;
    if (caller !== undefined && this.#opener === callerKey(caller)) return undefined;
    const observes = this.#guard.mode === 'observe';
    if (!observes && (this.#opener === undefined || this.#opener === noOpener)) {
      reportOnce(this.#guard, 'a session of MCP that no verified caller opened was refused');
    }
    if (caller !== undefined) {
      const call = this.#guard.begin(caller, { method: 'session' });
      await call.refuse('policy_denied', 'a session of another caller');
      await call.end({ result: observes ? 'finished' : 'not_started' });
    }
    if (observes) return undefined;
    // As the SDK answers to an unknown id: the client then opens a session of its own.
    return earlyAnswer(404, { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
  }

  /** Before the transport opens a session, which would stay for ever. */
  #refuseNobody(): EarlyAnswer | undefined {
    if (this.#guard.mode === 'observe') return undefined;
    reportNobody(this.#guard);
    return refusedNobody;
  }
}

/** Who sent a request of HTTP: by Node's request, or by what was handed over with it. */
function callerOfMessage(request: unknown, options: unknown): Caller | undefined {
  if (isNodeRequest(request) && callerOfInfo(memberIn(request, 'auth')) === undefined) mcpBridge(request);
  const info = isNodeRequest(request) ? memberIn(request, 'auth') : undefined;
  return callerOfInfo(info ?? memberIn(options, 'authInfo'));
}

type MessageOfRequest =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly answer: EarlyAnswer };

/** The message in the body. Undefined if there is none, or none that can be read: the SDK refuses that. */
async function messageOf(request: unknown, options: unknown, parsedBody: unknown): Promise<MessageOfRequest> {
  const parsed = parsedBody ?? (isNodeRequest(request) ? undefined : memberIn(options, 'parsedBody'));
  if (parsed !== undefined || memberIn(request, 'method') !== 'POST') return { ok: true, value: parsed };
  if (!isNodeRequest(request)) {
    if (!(request instanceof Request)) return { ok: true, value: undefined };
    const copy = request.clone();
    return { ok: true, value: await copy.json().then(unchanged, nothing) };
  }
  const body = await readBody(request, maxMessageBytes);
  if (!body.ok && body.problem === 'too_large') return failed(413, -32600, 'The message is too large');
  if (!body.ok) return { ok: true, value: undefined };
  try {
    return { ok: true, value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body.bytes)) };
  } catch {
    return failed(400, -32700, 'Parse error');
  }
}

const unchanged = (value: unknown): unknown => value;
const nothing = (): unknown => undefined;

function failed(status: number, code: number, message: string): MessageOfRequest {
  return { ok: false, answer: earlyAnswer(status, { jsonrpc: '2.0', error: { code, message }, id: null }) };
}

function answerWith({ status, headers, body }: EarlyAnswer, response: unknown): Response | undefined {
  if (!isNodeResponse(response)) return new Response(body, { status, headers });
  response.writeHead(status, headers).end(body);
  return undefined;
}

function memberIn(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : undefined;
}
