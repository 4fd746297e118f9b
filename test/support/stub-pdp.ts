import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** A policy decision point with responses set by the test, on a real socket, until the test has finished. */
export interface StubPdp {
  readonly url: string;
  /** The received requests, in order. */
  readonly asked: readonly Asked[];
  answer: RequestListener;
  stop(): void;
}

export async function startStubPdp(answer: RequestListener): Promise<StubPdp> {
  const asked: Asked[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: target = '', headers } = request;
    asked.push({ method, target, headers, body: JSON.parse((await text(request)) || 'null') as unknown });
    stub.answer(request, response);
  };
  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(stop);
  const stub: StubPdp = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, answer, stop };
  return stub;
}

export function says(document: unknown, status = 200, type = 'application/json'): RequestListener {
  return (_request, response) =>
    void response.writeHead(status, { 'content-type': type }).end(JSON.stringify(document));
}

/** Responses that never end. */
export const drips: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
};

const bomb = gzipSync(Buffer.alloc(10_000_000, ' '));

/** Responses without a valid decision. Each contains `permit`, to detect code that trusts it. */
export function oddAnswers(permit: unknown): readonly (readonly [title: string, answer: RequestListener])[] {
  return [
    ['500', says(permit, 500)],
    ['404', says(permit, 404)],
    ['401', says(permit, 401)],
    ['201', says(permit, 201)],
    ['a page', says(permit, 200, 'text/html')],
    ['no type', (_request, response) => void response.writeHead(200).end(JSON.stringify(permit))],
    ['no JSON', (_request, response) => void jsonHead(response).end('{"decision": true, "result": true')],
    [
      'a decision twice [M1]',
      (_request, response) => {
        const text = JSON.stringify(permit);
        jsonHead(response).end(`${text.replace('true', 'false').slice(0, -1)},${text.slice(1)}`);
      },
    ],
    ['an empty body', (_request, response) => void jsonHead(response).end()],
    ['bytes that are no UTF-8', (_request, response) => void jsonHead(response).end(Buffer.from('"\xff"', 'latin1'))],
    ['10 MB', (_request, response) => void jsonHead(response).end(JSON.stringify(permit).padStart(10_000_000))],
    [
      '10 MB, deflated to 10 kB',
      (_request, response) => void jsonHead(response.setHeader('content-encoding', 'gzip')).end(bomb),
    ],
    [
      'a redirect to somebody who permits',
      (_request, response) => void response.writeHead(307, { location: '/permits' }).end(JSON.stringify(permit)),
    ],
  ];
}

function jsonHead(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'application/json' });
}

/** Responses that report an outage. */
export const outages: readonly (readonly [title: string, answer: RequestListener])[] = [
  ['503', says({}, 503)],
  ['502', says({}, 502)],
  ['504', says({}, 504)],
  ['429', says({}, 429)],
  ['a broken connection', (request) => void request.socket.destroy()],
  [
    'half an answer',
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{');
      setImmediate(() => response.destroy());
    },
  ],
  ['silence', () => undefined],
  ['an answer in drops', drips],
];
