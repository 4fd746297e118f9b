import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { RawResponse } from './connection.js';
import type { Served } from './guarded.js';
import type { RawRequest } from './signed-request.js';

/** One cleartext HTTP/2 connection, for any number of concurrent requests. */
export class Http2Connection {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  static async open(url: string): Promise<Http2Connection> {
    const session = connect(url);
    await once(session, 'connect');
    // Each stream reports its own failure.
    session.on('error', () => {});
    return new Http2Connection(session);
  }

  /** Sends the head alone. The Host field becomes `:authority`; a field named `host` stays one. */
  begin(
    { method, target, fields }: RawRequest,
    { ended = false }: { readonly ended?: boolean } = {},
  ): ClientHttp2Stream {
    const headers: Record<string, string> = { ':method': method, ':path': target };
    for (const [name, value] of fields) headers[name === 'Host' ? ':authority' : name.toLowerCase()] = value;
    const stream = this.#session.request(headers, { endStream: ended });
    // A server that has answered may reset the stream.
    stream.on('error', () => {});
    return stream;
  }

  async send(request: RawRequest): Promise<RawResponse> {
    const stream = this.begin(request, { ended: request.body.length === 0 });
    if (request.body.length > 0) stream.end(request.body);
    return await readHttp2(stream);
  }

  /** Closes the connection without ending the request. */
  destroy(): void {
    this.#session.destroy();
  }
}

/** The response on a stream, read to its end. Trailers are among its headers. */
export async function readHttp2(stream: ClientHttp2Stream): Promise<RawResponse> {
  const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  stream.on('trailers', (trailers: IncomingHttpHeaders) => Object.assign(answer, trailers));
  stream.setEncoding('utf8');
  let body = '';
  for await (const chunk of stream) body += String(chunk);
  const { ':status': status, ...fields } = answer;
  const headers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  return { status: Number(status), headers, body, text: `${JSON.stringify(headers)}\r\n${body}` };
}

/** Sends one request on a connection of its own. */
export async function sendHttp2(url: string, request: RawRequest): Promise<RawResponse> {
  const connection = await Http2Connection.open(url);
  try {
    return await connection.send(request);
  } finally {
    connection.destroy();
  }
}

/** A cleartext HTTP/2 server on a free port. */
export async function serveHttp2(
  listener: (request: Http2ServerRequest, response: Http2ServerResponse) => unknown,
): Promise<Served> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}
