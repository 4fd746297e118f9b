import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** The options with which a guard fetches from a server on 127.0.0.1. */
export const loopback = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;

/** A key server on a real socket, until the test has finished. */
export interface KeyServer {
  /** Without a trailing slash. */
  readonly url: string;
  /** The requested paths, in order. */
  readonly asked: readonly string[];
  /** Replaces the handler of later requests. */
  answer: RequestListener;
}

export async function startKeyServer(answer: RequestListener): Promise<KeyServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    keyServer.answer(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const keyServer = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, answer };
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return keyServer;
}

/** Answers every path with one JSON document. */
export function json(document: unknown, type = 'application/json'): RequestListener {
  return (_request, response) => void response.setHeader('content-type', type).end(JSON.stringify(document));
}

/** Answers each path with its document, and any other with 404. */
export function documents(byPath: Readonly<Record<string, unknown>>): RequestListener {
  return (request, response) => {
    const document = byPath[request.url ?? ''];
    if (document === undefined) response.writeHead(404).end();
    else json(document)(request, response);
  };
}

export const down: RequestListener = (_request, response) => void response.writeHead(503).end();

/** Hostile responses of a key server (A14). A slow one is tested where the timeout is set. */
export const hostile: readonly (readonly [title: string, answer: RequestListener])[] = [
  ['is down', down],
  ['redirects', (_request, response) => void response.writeHead(302, { location: 'http://169.254.169.254/' }).end()],
  ['answers with a page', (_request, response) => void response.setHeader('content-type', 'text/html').end('{}')],
  ['answers with 10 MB', json({ keys: 'x'.repeat(10_000_000) })],
  ['answers with 10 000 keys', json({ keys: Array.from({ length: 10_000 }, () => ({ kty: 'OKP' })) })],
  ['hangs up', (request) => void request.socket.destroy()],
  [
    'switches protocols',
    ({ socket }) =>
      void socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  ],
];
