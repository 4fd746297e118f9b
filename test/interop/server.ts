import { createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RequestMessage } from '@countersign/signature';

export interface Listening {
  /** `127.0.0.1:PORT` */
  readonly authority: string;
  close(): Promise<void>;
}

/** A server on a free port, as bare as node:http has it. */
export async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Listening> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    authority: `127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

/** What a verifier on the server's side sees. */
export function received(request: IncomingMessage): RequestMessage {
  return {
    method: request.method ?? '',
    scheme: 'http',
    authority: request.headers.host ?? '',
    target: request.url ?? '',
    rawFields: request.rawHeaders,
  };
}

export interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly rawFields: readonly string[];
  readonly text: string;
}

/** Sends exactly these headers; node:http adds Host and Connection. */
export function exchange(authority: string, { method, target, headers, body }: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = send(`http://${authority}`, { method, path: target, headers }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        text += chunk;
      });
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, rawFields: incoming.rawHeaders, text }));
      incoming.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
