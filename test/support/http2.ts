import { once } from 'node:events';
import {
  connect,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Served } from './guarded.js';
import type { RawRequest } from './signed-request.js';

/** Sends a request over HTTP/2 in clear: the Host field becomes `:authority`. */
export async function sendHttp2(
  url: string,
  { method, target, fields, body }: RawRequest,
): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }> {
  const session = connect(url);
  try {
    const headers: Record<string, string> = { ':method': method, ':path': target };
    for (const [name, value] of fields) headers[name === 'Host' ? ':authority' : name.toLowerCase()] = value;
    const stream = session.request(headers, { endStream: body.length === 0 });
    stream.setEncoding('utf8');
    if (body.length > 0) stream.end(body);
    const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & { readonly ':status': number }];
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return { status: answer[':status'], headers: answer, body: text };
  } finally {
    session.close();
  }
}

/** A server of HTTP/2 in clear on a free port. */
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
