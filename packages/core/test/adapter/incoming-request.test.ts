import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request as httpRequest } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { unsigned } from '../../../../test/support/guarded.js';
import { Http2Frames } from '../../../../test/support/http2-frames.js';
import { serialized } from '../../../../test/support/signed-request.js';
import type { HttpRequest } from '../../src/model/request.js';
import { clientIsGone, incomingRequest } from '../../src/adapter/incoming-request.js';
import { Deferred } from '../deferred.js';
import { RawClient, sendAndReset, serve } from './raw-http.js';

async function received(bytes: string): Promise<HttpRequest> {
  let seen: HttpRequest | undefined;
  await using server = await serve((request, response) => {
    seen = incomingRequest(request, request.url ?? '');
    response.end();
  });
  using client = await RawClient.open(server);
  await client.send(bytes);
  await client.response();
  if (seen === undefined) throw new Error('the request did not arrive');
  return seen;
}

describe('incomingRequest', () => {
  it('keeps the target undecoded, and each field line as received', async () => {
    const request = await received(
      'GET /a/../b%2Fc?q=1&q=2 HTTP/1.1\r\nHost: test\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n',
    );
    expect(request).toMatchObject({
      method: 'GET',
      target: '/a/../b%2Fc?q=1&q=2',
      rawHeaders: ['Host', 'test', 'X-Twice', '1', 'x-twice', '2'],
    });
  });

  it('takes the remote address from the connection, never from a field [A13]', async () => {
    const request = await received('GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 10.9.8.7\r\n\r\n');
    expect(request.remoteAddress).toBe('127.0.0.1');
  });

  it('keeps an absolute-form target [A13]', async () => {
    expect(await received('GET http://evil.example/x HTTP/1.1\r\nHost: test\r\n\r\n')).toMatchObject({
      target: 'http://evil.example/x',
    });
  });
});

describe('a reader before the guard that leaves', () => {
  it('takes neither the connection nor the address from the request', async () => {
    const seen = new Deferred<HttpRequest>();
    await using server = await serve((request, response) => {
      void (async () => {
        for await (const _part of request) break;
        seen.resolve(incomingRequest(request, ''));
        response.end();
      })();
    });
    using client = await RawClient.open(server);
    await client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n12345');
    const { remoteAddress, clientIsGone: isGone, body } = await seen.promise;
    expect(remoteAddress).toBe('127.0.0.1');
    expect(isGone?.()).toBe(true);
    await body.discard();
    await client.response();
  });
});

interface Seen {
  readonly isGone: boolean;
  readonly remoteAddress: string | undefined;
}

const lost: Seen = { isGone: true, remoteAddress: undefined };

function seenOf(request: IncomingMessage): Seen {
  return { isGone: clientIsGone(request), remoteAddress: incomingRequest(request, '/').remoteAddress };
}

describe('clientIsGone', () => {
  it('is true in the same turn when the connection was reset before its address was read [A4]', async () => {
    const seen = new Deferred<Seen>();
    await using server = await serve((request) => seen.resolve(seenOf(request)));
    sendAndReset(server, serialized(unsigned()));
    expect(await seen.promise).toEqual(lost);
  });

  it('is true over HTTP/2 when the connection was reset before its address was read [A4]', async () => {
    const seen = new Deferred<Seen>();
    const server = createHttp2Server((request) => seen.resolve(seenOf(request as unknown as IncomingMessage)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    sendAndReset(server.address() as AddressInfo, framesOf());
    expect(await seen.promise).toEqual(lost);
  });

  it('is false over a Unix domain socket, which has no addresses', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'socket-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const seen = new Deferred<Seen>();
    const server = createServer((request, response) => {
      seen.resolve(seenOf(request));
      response.end();
    });
    const socketPath = join(folder, 'api.sock');
    server.listen(socketPath);
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    httpRequest({ socketPath, agent: false }, (response) => response.resume()).end();
    expect(await seen.promise).toEqual({ isGone: false, remoteAddress: undefined });
  });

  it.each([{}, { remoteAddress: '127.0.0.1' }])('is false for an injected request with the socket %j', (socket) => {
    expect(clientIsGone({ socket } as IncomingMessage)).toBe(false);
  });
});

/** The first bytes of an HTTP/2 client that does not wait for its server. */
function framesOf(): Buffer {
  const written: Buffer[] = [];
  const socket = new Writable({
    write(bytes: Buffer, _encoding, done) {
      written.push(bytes);
      done();
    },
  });
  new Http2Frames(socket as Socket, { window: 0 }).begin(unsigned(), 'http', Buffer.alloc(0));
  return Buffer.concat(written);
}
