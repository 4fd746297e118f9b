import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { secureUrl } from '@countersign/common';
import { ConfigError } from '@countersign/core';
import { orAborted } from './or-aborted.js';

/** A request to the server behind the guard, with no field of the client that is not a part of MCP. */
export interface UpstreamRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Rejects if the server cannot be reached. */
export type Upstream = (request: UpstreamRequest) => Promise<UpstreamAnswer>;

/** A server in the same process, as web frameworks write it. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/**
 * The MCP server at a URL, or a fetch handler in this process.
 *
 * @throws ConfigError when it is neither.
 */
export function upstreamOf(server: string | URL | FetchHandler): Upstream {
  if (typeof server === 'function') return inProcess(server);
  const read = secureUrl(String(server), 'anywhere');
  if (!read.ok && read.problem === 'not_http') {
    throw new ConfigError('guardMcpHttp: name the http or https URL of an MCP server, or its fetch handler.');
  }
  if (!read.ok || read.url.hash !== '') {
    throw new ConfigError("guardMcpHttp: the URL must hold no credentials and no fragment. Use 'headers' instead.");
  }
  return remote(read.url);
}

/** With node:http: `fetch` gives up on a stream that is silent for five minutes. */
function remote(url: URL): Upstream {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return async ({ method, headers, body, signal }) => {
    const fields = {
      ...Object.fromEntries(headers),
      ...(body !== undefined && { 'content-length': String(body.length) }),
    };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(url, { method, headers: fields, signal }, (received) => {
        // Without its `Connection` field, Node takes it for an answer.
        if (received.statusCode === 101) request.destroy();
        else resolve(received);
      });
      request.once('error', reject);
      // All that Node tells of an answer that switches protocols (101).
      request.once('close', () => reject(new Error('the connection was closed without an answer')));
      request.end(body);
    });
    return { status: answer.statusCode ?? 502, headers: fieldsOf(answer), body: answer };
  };
}

function fieldsOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  return headers;
}

function inProcess(handler: FetchHandler): Upstream {
  return async ({ method, headers, body, signal }) => {
    const url = `http://${headers.get('host') ?? 'localhost'}/mcp`;
    const request = new Request(url, { method, headers, signal, ...(body && { body: Buffer.from(body) }) });
    const answering = (async () => await handler(request))();
    const answer = await orAborted(answering, signal).catch((reason: unknown) => {
      void cancelLate(answering);
      throw reason;
    });
    return { status: answer.status, headers: answer.headers, body: chunksOf(answer, signal) };
  };
}

/** Nobody reads an answer that comes after its client has left. */
async function cancelLate(answering: Promise<Response>): Promise<void> {
  try {
    await (await answering).body?.cancel();
  } catch {
    // A handler that has failed has nothing more to send.
  }
}

/** A body that ends when its client has left, also while it is silent and whether or not its handler looks at the signal. */
async function* chunksOf({ body }: Response, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  if (body === null) return;
  const reader = body.getReader();
  // What becomes of a body that nobody reads is the handler's own affair.
  const cancel = (): void => void reader.cancel().catch(() => {});
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}
