import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type RequestListener,
  type RequestOptions,
  Server,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ConfigError } from '@countersign/common';
import { memoryConnection } from './memory-connection.js';

/**
 * What answers requests: an application of Express, Koa or Fastify, one of NestJS after `init()`, a listener or server
 * of node:http, or the URL of a server that listens.
 */
export type TestApp =
  | string
  | URL
  | RequestListener
  | Server
  | { callback(): RequestListener }
  | { readonly server: unknown; ready(): PromiseLike<unknown> }
  | { getHttpServer(): unknown };

/** A request as it goes over the wire. */
export interface Message {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Uint8Array | undefined;
}

/** Servers of applications: one each, which never listens. */
const servers = new WeakMap<object, Server>();
const texts = new WeakMap<Response, string>();

/**
 * Sends a message as HTTP/1.1 over a connection in memory, or over the network to a URL. In memory, the application takes the
 * connection for https if `origin` is.
 */
export async function exchange(app: TestApp, message: Message, origin: string): Promise<Response> {
  const incoming = await send(message, await transportTo(app, new URL(origin).protocol === 'https:'));
  const body = Buffer.concat(await incoming.toArray());
  const status = incoming.statusCode ?? 0;
  const isEmpty = [204, 205, 304].includes(status);
  const response = new Response(isEmpty ? null : body, { status, headers: headersOf(incoming) });
  texts.set(response, body.toString());
  return response;
}

/** The body of a response that `exchange` has read already. */
export function textOf(response: object): string | undefined {
  return response instanceof Response ? texts.get(response) : undefined;
}

type Transport = (options: RequestOptions) => ReturnType<typeof httpRequest>;

function send({ method, path, headers, body }: Message, transport: Transport): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = transport({ method, path, headers: headers as IncomingHttpHeaders });
    request.on('response', resolve).on('error', reject).end(body);
  });
}

async function transportTo(app: TestApp, encrypted: boolean): Promise<Transport> {
  if (typeof app === 'string' || app instanceof URL) {
    const { protocol, hostname, port } = new URL(app);
    const request = protocol === 'https:' ? httpsRequest : httpRequest;
    return (options) => request({ ...options, hostname, port, agent: false });
  }
  const server = await serverOf(app);
  return (options) => {
    const [client, host] = memoryConnection(encrypted);
    server.emit('connection', host);
    return httpRequest({ ...options, createConnection: () => client });
  };
}

async function serverOf(app: Exclude<TestApp, string | URL>): Promise<Server> {
  if (app instanceof Server) return app;
  const known = servers.get(app);
  if (known !== undefined) return known;
  const server = await findServer(app);
  if (server instanceof Server) {
    servers.set(app, server);
    return server;
  }
  throw new ConfigError(
    'fetch: this is no application. Pass an Express, Koa or Fastify application, a server or listener of node:http, or a URL.',
  );
}

async function findServer(app: Exclude<TestApp, string | URL | Server>): Promise<unknown> {
  if ('getHttpServer' in app) return app.getHttpServer();
  if ('ready' in app && 'server' in app) {
    await app.ready();
    return app.server;
  }
  if ('callback' in app) return createServer(app.callback());
  return typeof app === 'function' ? createServer(app) : undefined;
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  return headers;
}
