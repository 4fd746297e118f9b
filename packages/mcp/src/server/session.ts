import { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller, Guard } from '@countersign/core';
import { callerKey } from '../decide/task-owners.js';
import { callerOf, callerOfInfo, mcpBridge } from './identity.js';

/** The parts of a transport that take requests of HTTP. Each is absent in transports of other kinds. */
interface HttpTransport {
  sessionId?: string | undefined;
  handleRequest?: (...given: unknown[]) => unknown;
  handlePostMessage?: (...given: unknown[]) => unknown;
}

/**
 * The session of one server. The SDK knows a session by its id alone: whoever learns the id could answer questions that
 * were asked of its opener, and read its messages. None of that reaches a request handler, so it is refused before.
 */
export class OwnedSession {
  readonly #guard: Pick<Guard, 'begin'>;
  #opener: string | undefined;
  #isHttp = false;

  constructor(guard: Pick<Guard, 'begin'>) {
    this.#guard = guard;
  }

  /** Whether the server is connected to a transport of HTTP. */
  get isHttp(): boolean {
    return this.#isHttp;
  }

  /** The caller of `initialize` owns the session. */
  opened(caller: Caller): void {
    this.#opener ??= callerKey(caller);
  }

  /** Puts the check before the transport. */
  watch(transport: unknown): void {
    if (typeof transport !== 'object' || transport === null) return;
    const http = transport as HttpTransport;
    for (const name of ['handleRequest', 'handlePostMessage'] as const) {
      const original = http[name];
      if (typeof original !== 'function') continue;
      this.#isHttp = true;
      http[name] = async (request, ...rest) => {
        if (request instanceof IncomingMessage && callerOfInfo(authOf(request)) === undefined) mcpBridge(request);
        const caller = callerOfInfo(authOf(request) ?? infoOf(rest[0])) ?? callerOf();
        if (http.sessionId === undefined || this.#opener === undefined || isOwner(caller, this.#opener)) {
          return await original.call(transport, request, ...rest);
        }
        if (caller !== undefined) await this.#refuse(caller);
        return notFound(rest[0]);
      };
    }
  }

  async #refuse(caller: Caller): Promise<void> {
    const call = this.#guard.begin(caller, { method: 'session' });
    await call.refuse('policy_denied', 'a session of another caller');
    await call.end({ result: 'not_started' });
  }
}

function isOwner(caller: Caller | undefined, opener: string): boolean {
  return caller !== undefined && callerKey(caller) === opener;
}

function authOf(request: unknown): unknown {
  return request instanceof IncomingMessage && 'auth' in request ? request.auth : undefined;
}

function infoOf(options: unknown): unknown {
  return typeof options === 'object' && options !== null && 'authInfo' in options ? options.authInfo : undefined;
}

/** As the SDK answers to an unknown id: the client then opens a session of its own. */
function notFound(response: unknown): Response | undefined {
  const body = JSON.stringify({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  if (!(response instanceof ServerResponse)) return new Response(body, { status: 404, headers });
  response.writeHead(404, headers).end(body);
  return undefined;
}
