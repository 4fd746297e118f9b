import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { closeUnread, dropBytesOfHead, sendRefusal } from '../../src/adapter/send-refusal.js';
import { refusal } from '../../src/model/refusal.js';
import { refusalResponse } from '../../src/model/refusal-response.js';
import { Deferred } from '../deferred.js';
import { post, RawClient, serve } from './raw-http.js';

const refused = refusalResponse(refusal('signature_required'), 'sig=("@method")');

describe('sendRefusal', () => {
  it('sends status, fields and body as the guard rendered them, and keeps the connection', async () => {
    await using server = await serve((request, response) => {
      request.resume();
      void once(request, 'end').then(() => sendRefusal(response, refused));
    });
    using client = await RawClient.open(server);
    for (let round = 0; round < 2; round++) {
      await client.send(post('read whole'));
      const { status, headers, body } = await client.response();
      expect(status).toBe(401);
      expect(body).toBe(refused.body);
      expect(headers).toContain('\r\ncontent-type: application/problem+json');
      expect(headers).toContain('\r\ncache-control: no-store');
      expect(headers).toContain('\r\nwww-authenticate: Signature error="signature_required"');
      expect(headers).toContain('\r\naccept-signature: sig=("@method")');
      expect(headers).toContain(`\r\ncontent-length: ${Buffer.byteLength(refused.body)}`);
      expect(headers).toContain('\r\nConnection: keep-alive');
    }
  });

  it('is chunked where middleware takes its length, and keeps the connection', async () => {
    await using server = await serve((_request, response) => {
      const { writeHead } = response;
      // As compression does.
      response.writeHead = ((status: number, fields: Record<string, string>) => {
        const { 'content-length': _length, ...others } = fields;
        return writeHead.call(response, status, others);
      }) as never;
      sendRefusal(response, refused);
    });
    using client = await RawClient.open(server);
    await client.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const { status, headers } = await client.response();
    expect(status).toBe(401);
    expect(headers).toContain('\r\nTransfer-Encoding: chunked');
  });

  it('looks ended while the rest of a body is awaited, and drops a second answer', async () => {
    const seen: unknown[] = [];
    await using server = await serve((request, response) => {
      request.resume();
      closeUnread(response);
      response.writeHead(401, { 'content-length': 7 }).end('refused');
      seen.push(response.writableEnded);
      // A time-out that is cleared by `finish`.
      response.setHeader('x-late', '1');
      response.writeHead(503);
      response.write('too slow');
      response.end('too slow');
      response.once('finish', () => seen.push(response.writableEnded));
    });
    using client = await RawClient.open(server);
    const bytes = post('not all of it');
    await client.send(bytes.subarray(0, -5));
    expect(await client.response()).toMatchObject({ status: 401, body: 'refused' });
    await client.send(bytes.subarray(-5));
    await client.untilClosed();
    expect(seen).toEqual([true, true]);
  });

  it('sends no body for HEAD, so that the next answer is read correctly', async () => {
    await using server = await serve(
      (request, response) => {
        request.resume();
        void once(request, 'end').then(() => sendRefusal(response, refused));
      },
      { rejectNonStandardBodyWrites: true },
    );
    using client = await RawClient.open(server);
    await client.send('HEAD / HTTP/1.1\r\nHost: test\r\n\r\n');
    expect(await client.response({ head: true })).toMatchObject({ status: 401, body: '' });
    await client.send(post(''));
    expect(await client.response()).toMatchObject({ status: 401, body: refused.body });
  });

  it('answers at once with connection: close when the request was not read whole, and waits for the rest', async () => {
    const cameWhole = new Deferred<boolean>();
    await using server = await serve((request, response) => {
      request.once('close', () => cameWhole.resolve(request.complete));
      request.resume();
      sendRefusal(response, refused);
    });
    using client = await RawClient.open(server);
    const bytes = post('not all of it');
    await client.send(bytes.subarray(0, -5));
    const { headers, body } = await client.response();
    expect(body).toBe(refused.body);
    expect(headers).toContain('\r\nConnection: close');
    await client.send(bytes.subarray(-5));
    await client.untilClosed();
    expect(await cameWhole.promise).toBe(true);
  });

  it('answers HEAD while a body is coming, also on a server that rejects writes to it [G4]', async () => {
    const reject = { rejectNonStandardBodyWrites: true };
    await using server = await serve((_request, response) => sendRefusal(response, refused), reject);
    using client = await RawClient.open(server);
    await client.send('HEAD / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n');
    expect(await client.response({ head: true })).toMatchObject({ status: 401, body: '' });
  });

  it('calls an application back that writes to an answer to HEAD', async () => {
    const calledBack = new Deferred();
    await using server = await serve((_request, response) => {
      dropBytesOfHead(response);
      response.write('bytes', () => {
        calledBack.resolve();
        response.end('more');
      });
    });
    using client = await RawClient.open(server);
    await client.send('HEAD / HTTP/1.1\r\nHost: test\r\n\r\n');
    expect(await client.response({ head: true })).toMatchObject({ status: 200, body: '' });
    await calledBack.promise;
  });

  it('calls an application back that answers by itself while the body is coming', async () => {
    const calledBack = new Deferred();
    await using server = await serve((request, response) => {
      request.resume();
      closeUnread(response);
      response.setHeader('Content-Length', 4);
      response.end('done', 'utf8', () => calledBack.resolve());
    });
    using client = await RawClient.open(server);
    const bytes = post('not all of it');
    await client.send(bytes.subarray(0, -5));
    expect((await client.response()).body).toBe('done');
    await client.send(bytes.subarray(-5));
    await calledBack.promise;
  });

  it.each(['POST', 'HEAD'])('finishes no answer to a %s on a connection that is lost [G4]', async (method) => {
    const finished = new Deferred<boolean>();
    await using server = await serve((request, response) => {
      response.once('finish', () => finished.resolve(true));
      request.once('close', () => setImmediate(() => finished.resolve(false)));
      request.socket.destroy();
      sendRefusal(response, refused);
    });
    using client = await RawClient.open(server);
    await client.send(`${method} / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n`);
    expect(await finished.promise).toBe(false);
  });

  it('says that the connection closes while a body is coming, whatever the application has set [G4]', async () => {
    await using server = await serve((_request, response) => {
      response.setHeader('Connection', 'keep-alive');
      sendRefusal(response, refused);
    });
    using client = await RawClient.open(server);
    await client.send(post('not all of it').subarray(0, -5));
    expect((await client.response()).headers).toContain('\r\nconnection: close');
  });

  it('answers where the application has begun to describe its own answer [G4]', async () => {
    await using server = await serve((_request, response) => {
      response.setHeader('Trailer', 'Server-Timing');
      response.setHeader('Transfer-Encoding', 'chunked');
      response.setHeader('Content-Encoding', 'gzip');
      sendRefusal(response, refused);
    });
    using client = await RawClient.open(server);
    await client.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const answer = await client.response();
    expect(answer).toMatchObject({ status: 401, body: refused.body });
    expect(answer.headers).not.toMatch(/trailer|-encoding/i);
  });

  it('does nothing once an answer has begun', async () => {
    await using server = await serve((request, response) => {
      request.resume();
      response.setHeader('content-length', 2);
      response.write('o');
      sendRefusal(response, refused);
      response.end('k');
      sendRefusal(response, refused);
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    expect(await client.response()).toMatchObject({ status: 200, body: 'ok' });
  });
});
