import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type IncomingBody, streamIncoming } from '../../../src/stages/body/incoming-body.js';
import type { BodyFailure, BodyLimits } from '../../../src/model/request-body.js';
import { sendRefusal } from '../../../src/adapter/send-refusal.js';
import { refusal } from '../../../src/model/refusal.js';
import { refusalResponse } from '../../../src/model/refusal-response.js';
import { patiently } from '../../../../../test/support/patiently.js';
import { Deferred } from '../../deferred.js';
import { chunk, chunkedHead, lastChunk, post, RawClient, serve, type TestServer } from '../../adapter/raw-http.js';
import { readAll, readers, sha256, untilStalled } from './guarded-server.js';
import { limits } from './limits.js';

interface Streamed {
  readonly limits?: BodyLimits;
  readonly before?: (request: IncomingMessage) => Promise<void>;
  /** Runs before the body flows. */
  readonly between?: (request: IncomingMessage) => Promise<void>;
  /** Default: answers with what it read. */
  readonly handle?: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly onAccepted?: (body: IncomingBody) => void;
}

interface StreamingServer extends TestServer {
  /** How the streams ended, in order. */
  readonly verdicts: readonly (BodyFailure | undefined)[];
  /** Failures that nobody listened for. */
  readonly unheard: readonly BodyFailure[];
}

/** Streams, expecting the digest that the client states in a field of its own; errors answer with their status. */
async function streaming(story: Streamed = {}): Promise<StreamingServer> {
  const { handle = echo } = story;
  const verdicts: (BodyFailure | undefined)[] = [];
  const unheard: BodyFailure[] = [];
  async function serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const before = story.before?.(request);
    if (before !== undefined) await before;
    const body = streamIncoming(request, (failure, heard) => void (heard || unheard.push(failure)));
    response.once('close', () => void body.discard());
    const expected = new Map([['sha-256' as const, Buffer.from(String(request.headers['digest']), 'hex')]]);
    const failure = await body.accept(story.limits ?? limits(), expected);
    story.onAccepted?.(body);
    if (failure !== undefined) {
      void body.discard();
      sendRefusal(response, refusalResponse(refusal(failure.code), ''));
      return;
    }
    void Promise.resolve(body.verdict).then((verdict) => verdicts.push(verdict));
    await story.between?.(request);
    body.release();
    await handle(request, response);
  }
  const server = await serve((request, response) => {
    serveOne(request, response).catch((error: unknown) => {
      const { status = 599, code = String(error) } = error as { readonly status?: number; readonly code?: string };
      response.statusCode = status;
      response.end(code);
    });
  });
  return { ...server, verdicts, unheard, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.end(await readAll(request));
}

function digested(body: string | Uint8Array, sent: string | Uint8Array = body): Buffer {
  return post(sent, [`Digest: ${sha256(body)}`]);
}

function chunkedDigested(body: string | Uint8Array): string {
  return chunkedHead.replace('\r\n\r\n', `\r\nDigest: ${sha256(body)}\r\n\r\n`);
}

/** A long body, of which the last byte is wrong. */
const long = Buffer.alloc(300_000, 'abcdefg');
const wrong = Buffer.concat([long.subarray(0, -1), Buffer.from('!')]);

describe('a streamed body that is what was signed', () => {
  for (const [name, read] of Object.entries(readers)) {
    for (const size of [0, 1, 70_000, 500_000]) {
      it(`reaches its reader whole: ${size} bytes, by ${name}, twice on one connection`, async () => {
        await using server = await streaming({
          handle: async (request, response) => void response.end(await read(request)),
        });
        using client = await RawClient.open(server);
        const body = Buffer.alloc(size, 'abcdefg');
        for (let round = 0; round < 2; round++) {
          await client.send(digested(body));
          expect(await client.response()).toMatchObject({ status: 200, body: body.toString('latin1') });
        }
        expect(server.verdicts).toEqual([undefined, undefined]);
      });
    }
  }

  it('flows while it comes, and ends only at its end', async () => {
    const seen: string[] = [];
    const arrived = new Deferred();
    await using server = await streaming({
      handle: async (request, response) => {
        request.on('data', (part: Buffer) => {
          seen.push(part.toString());
          arrived.resolve();
        });
        await once(request, 'end');
        response.end(seen.join('|'));
      },
    });
    using client = await RawClient.open(server);
    await client.send(chunkedDigested('first second'));
    await client.send(chunk('first '));
    await arrived.promise;
    expect(seen).toEqual(['first ']);
    await client.send(chunk('second'));
    await client.send(lastChunk);
    expect(await client.response()).toMatchObject({ status: 200, body: 'first |second' });
  });

  it.each([1, 70_000, 300_000])('of %i bytes never has its stated length before it has verified [A4]', async (size) => {
    let read = 0;
    await using server = await streaming({
      handle: async (request, response) => {
        request.on('data', (part: Buffer) => (read += part.length));
        await once(request, 'end');
        response.end('all of it');
      },
    });
    using client = await RawClient.open(server);
    const body = long.subarray(0, size);
    await client.send(digested('something else', body));
    expect(await client.response()).toMatchObject({ status: 401, body: 'digest_mismatch' });
    expect(read).toBeLessThan(size);
  });

  it.each([
    ['has a content coding', gzipSync('pay mallory'), 'Content-Encoding: gzip'],
    [
      'is a form with parts',
      Buffer.from('--b\r\n\r\npay mallory\r\n--b--\r\n'),
      'Content-Type: Multipart/Form-Data; boundary=b',
    ],
  ])(
    'is held if it %s, whose reader may find an end before that of the bytes [A4, A5]',
    async (_what, forged, field) => {
      const handle = vi.fn(echo);
      await using server = await streaming({ handle });
      using client = await RawClient.open(server);
      using other = await RawClient.open(server);
      const changed = Buffer.concat([forged, Buffer.alloc(100)]);
      const bytes = post(changed, [`Digest: ${sha256('pay alice')}`, field]);
      await client.send(bytes.subarray(0, -1));
      await other.send(digested('meanwhile'));
      expect(await other.response()).toMatchObject({ status: 200, body: 'meanwhile' });
      expect(handle).toHaveBeenCalledOnce();
      await client.send(bytes.subarray(-1));
      expect(await client.response()).toMatchObject({ status: 401 });
      expect(handle).toHaveBeenCalledOnce();
    },
  );

  it('keeps its trailers', async () => {
    let trailers: NodeJS.Dict<string> = {};
    await using server = await streaming({
      handle: async (request, response) => {
        await echo(request, response);
        ({ trailers } = request);
      },
    });
    using client = await RawClient.open(server);
    await client.send(`${chunkedDigested('body')}4\r\nbody\r\n0\r\nX-Checked: yes\r\n\r\n`);
    expect(await client.response()).toMatchObject({ status: 200, body: 'body' });
    expect(trailers).toEqual({ 'x-checked': 'yes' });
  });

  it('when an asynchronous middleware ran first and the whole body has arrived', async () => {
    await using server = await streaming({
      before: async (request) => {
        while (!request.complete) await setImmediate();
      },
    });
    using client = await RawClient.open(server);
    await client.send(digested('early bird'));
    expect(await client.response()).toMatchObject({ status: 200, body: 'early bird' });
    await client.send(digested('early bird', 'early bold'));
    const response = await client.response();
    expect(response.status).toBe(401);
    expect(JSON.parse(response.body)).toMatchObject({ code: 'digest_mismatch' });
  });

  it('when half of it lies in the buffer of the stream, and half came before it may flow', async () => {
    const half = new Deferred();
    await using server = await streaming({
      before: async (request) => {
        while (request.readableLength < 5) await setImmediate();
        half.resolve();
      },
      between: async (request) => {
        while (!request.complete) await setImmediate();
      },
    });
    using client = await RawClient.open(server);
    const bytes = digested('1234567890');
    await client.send(bytes.subarray(0, -5));
    await half.promise;
    await client.send(bytes.subarray(-5));
    expect(await client.response()).toMatchObject({ status: 200, body: '1234567890' });
  });

  it('keeps the client waiting until it may flow, and while its reader is behind [G4]', async () => {
    const read: number[] = [];
    await using server = await streaming({
      limits: limits({ maxBytes: 20_000_000 }),
      between: async (request) => {
        await untilStalled(request);
        read.push(request.socket.bytesRead);
      },
      handle: async (request, response) => {
        await once(request, 'readable');
        await untilStalled(request);
        read.push(request.socket.bytesRead);
        await echo(request, response);
      },
    });
    using client = await RawClient.open(server);
    const body = Buffer.alloc(16_000_000, 'x');
    void client.send(digested(body));
    const response = await client.response();
    expect(sha256(response.body)).toBe(sha256(body));
    expect(Math.max(...read)).toBeLessThan(500_000);
  });
});

const failing: Record<string, (request: IncomingMessage) => Promise<unknown>> = {
  'for await': readAll,
  'data events and error': (request) =>
    new Promise((resolve, reject) => {
      request.on('data', () => {});
      request.on('end', resolve);
      request.on('error', reject);
    }),
  'readable events': async (request) => {
    // Until null: since Node 26 `read()` gives one buffer of several, and a reader that stops there waits for ever.
    const readAvailable = () => {
      let part: unknown;
      do part = request.read();
      while (part !== null);
    };
    request.on('readable', readAvailable);
    await once(request, 'end');
  },
  pipeline: (request) => pipeline(request, new PassThrough().resume()),
  'a web stream': (request) => pipeline(Readable.toWeb(request), new PassThrough().resume()),
  'pipe to gunzip, which alone is listened to': (request) => readAll(request.pipe(createGunzip()) as never),
  'pipe to a sink that alone is listened to': (request) =>
    new Promise((resolve, reject) => {
      const sink = request.pipe(new Writable({ write: (_part, _encoding, done) => done() }));
      sink.on('finish', resolve);
      sink.on('error', reject);
    }),
};

describe('a streamed body that is not what was signed [A4]', () => {
  for (const [name, read] of Object.entries(failing)) {
    it(`fails its reader before the end, and the client has its answer: ${name}`, async () => {
      const zipped = gzipSync(Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 256)));
      const ends: string[] = [];
      await using server = await streaming({
        handle: async (request, response) => {
          request.on('end', () => ends.push('end'));
          await read(request);
          response.end('read');
        },
      });
      using client = await RawClient.open(server);
      const body = name.includes('gunzip') ? zipped : long;
      const changed = Buffer.concat([body.subarray(0, -9), Buffer.from('!'), body.subarray(-8)]);
      for (let round = 0; round < 2; round++) {
        await client.send(digested(body, changed));
        expect(await client.response()).toMatchObject({ status: 401, body: 'digest_mismatch' });
        await client.send(digested(body));
        expect(await client.response()).toMatchObject({ status: 200, body: 'read' });
      }
      expect(ends).toEqual(['end', 'end']);
      expect(server.verdicts).toMatchObject([
        { code: 'digest_mismatch' },
        undefined,
        { code: 'digest_mismatch' },
        undefined,
      ]);
      expect(server.unheard).toEqual([]);
    });
  }

  it('is refused outright when it has come whole before it may flow', async () => {
    const handled: string[] = [];
    await using server = await serve((request, response) => {
      const body = streamIncoming(request, () => {});
      void (async () => {
        while (!request.complete) await setImmediate();
        const expected = new Map([['sha-256' as const, createHash('sha256').update('signed').digest()]]);
        handled.push(String((await body.accept(limits(), expected))?.code));
        void body.discard();
        response.end();
      })();
    });
    using client = await RawClient.open(server);
    await client.send(post('forged'));
    await client.response();
    expect(handled).toEqual(['digest_mismatch']);
  });

  it.each(Object.entries(failing))('fails a reader that comes late, by %s [A4]', async (_name, read) => {
    await using server = await streaming({
      handle: async (request, response) => {
        while (!request.complete) await setImmediate();
        for (let turn = 0; turn < 10; turn++) await setImmediate();
        await read(request);
        response.end('read');
      },
    });
    using client = await RawClient.open(server);
    const bytes = digested('signed', 'forged');
    await client.send(bytes.subarray(0, -3));
    await client.send(bytes.subarray(-3));
    expect(await client.response()).toMatchObject({ status: 401, body: 'digest_mismatch' });
  });

  it.each(Object.entries(failing))(
    'fails a reader that comes late, by %s, when its first bytes came before the guard [A4]',
    async (_name, read) => {
      const begun = new Deferred();
      await using server = await streaming({
        before: async (request) => {
          while (request.readableLength < 3) await setImmediate();
        },
        handle: async (request, response) => {
          begun.resolve();
          while (!request.complete) await setImmediate();
          for (let turn = 0; turn < 10; turn++) await setImmediate();
          await read(request);
          response.end('read');
        },
      });
      using client = await RawClient.open(server);
      const bytes = digested('signed', 'forged');
      await client.send(bytes.subarray(0, -3));
      await begun.promise;
      await client.send(bytes.subarray(-3));
      expect(await client.response()).toMatchObject({ status: 401, body: 'digest_mismatch' });
    },
  );

  it.each(Object.entries(failing))(
    'fails a reader that goes on after the answer, by %s, because the rest is dropped [A4]',
    async (_name, read) => {
      const ended = new Deferred<unknown>();
      await using server = await streaming({
        handle: async (request, response) => {
          response.end('early');
          await read(request).then(() => ended.resolve('ended'), ended.resolve);
        },
      });
      using client = await RawClient.open(server);
      const bytes = digested(long);
      await client.send(bytes.subarray(0, 1000));
      expect(await client.response()).toMatchObject({ status: 200, body: 'early' });
      await client.send(bytes.subarray(1000));
      expect(await ended.promise).toMatchObject({ code: 'body_incomplete' });
      while (server.verdicts.length === 0) await setImmediate();
      expect(server.verdicts).toEqual([undefined]);
      expect(server.unheard).toEqual([]);
    },
  );

  it('ends the answer that it is piped to, and a request to another server [F5, A4]', async () => {
    const upstream = createServer((request) => void request.resume()).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    const cut = new Deferred<unknown>();
    upstream.on('request', (request) => request.on('error', cut.resolve));
    await using server = await streaming({
      handle: async (request, response) => {
        request.pipe(httpRequest({ host: '127.0.0.1', port, method: 'POST' }));
        request.pipe(response);
      },
    });
    using client = await RawClient.open(server);
    await client.send(digested(long, wrong));
    await once(client.socket, 'close');
    expect(await cut.promise).toMatchObject({ code: 'ECONNRESET' });
    upstream.close();
  });

  it('leaves a sink open that nobody listens to, and counts as unheard [F5, A4]', async () => {
    const sink = new PassThrough().resume();
    const acted = vi.fn();
    for (const event of ['end', 'finish', 'close']) sink.on(event, acted);
    const answering = new Deferred<ServerResponse>();
    await using server = await streaming({
      handle: async (request, response) => {
        request.pipe(sink);
        answering.resolve(response);
      },
    });
    using client = await RawClient.open(server);
    await client.send(digested(long, wrong));
    while (server.unheard.length === 0) await setImmediate();
    expect(server.unheard).toMatchObject([{ code: 'digest_mismatch' }]);
    (await answering.promise).end('answered');
    expect(await client.response()).toMatchObject({ status: 200, body: 'answered' });
    expect(acted).not.toHaveBeenCalled();
    expect(sink.destroyed).toBe(false);
  });

  it('is seen by the verdict alone when nobody reads it', async () => {
    const body = new Deferred<IncomingBody>();
    const answered = new Deferred();
    await using server = await streaming({
      onAccepted: body.resolve,
      handle: async (_request, response) => {
        response.end('early');
        await once(response, 'close');
        answered.resolve();
      },
    });
    using client = await RawClient.open(server);
    for (const sent of [wrong, long]) {
      const bytes = digested(long, sent);
      await client.send(bytes.subarray(0, 1000));
      expect(await client.response()).toMatchObject({ status: 200, body: 'early' });
      await answered.promise;
      await client.send(bytes.subarray(1000));
    }
    await client.send(digested(''));
    await client.response();
    expect(server.verdicts).toMatchObject([{ code: 'digest_mismatch' }, undefined, undefined]);
  });

  it('is read on after an early answer, for the next request on the connection [G4]', async () => {
    const body = Buffer.alloc(3_000_000, 'abcdefg');
    await using server = await streaming({
      limits: limits({ maxBytes: body.length }),
      handle: async (_request, response) => void response.end('early'),
    });
    using client = await RawClient.open(server);
    await client.send(digested(body).subarray(0, 1000));
    expect(await client.response()).toMatchObject({ status: 200, body: 'early' });
    await client.send(digested(body).subarray(1000));
    await client.send(digested('the next one'));
    expect(await client.response()).toMatchObject({ status: 200, body: 'early' });
    expect(server.verdicts).toEqual([undefined, undefined]);
  });

  it('is read on when its rest comes late, and the verdict does not wait for it [F5]', async () => {
    await using server = await streaming({ handle: async (_request, response) => void response.end('early') });
    using client = await RawClient.open(server);
    await client.send(digested(long).subarray(0, 1000));
    expect(await client.response()).toMatchObject({ status: 200, body: 'early' });
    while (server.verdicts.length === 0) await setImmediate();
    await client.send(digested(long).subarray(1000));
    await client.send(digested('the next one'));
    expect(await client.response()).toMatchObject({ status: 200, body: 'early' });
    expect(server.verdicts).toMatchObject([{ code: 'body_incomplete' }, undefined]);
  });

  it('says so when nobody listens for errors', async () => {
    await using server = await streaming({
      handle: async (request) => void request.on('data', () => {}),
    });
    using client = await RawClient.open(server);
    await client.send(digested(long, wrong));
    while (server.verdicts.length === 0) await setImmediate();
    expect(server.unheard).toMatchObject([{ code: 'digest_mismatch' }]);
  });
});

/** Readers that leave before the end, as a handler does that finds a body too long for it. */
const leaving: Record<string, (request: IncomingMessage) => Promise<unknown>> = {
  'for await and break': async (request) => {
    for await (const _part of request) break;
  },
  'for await and throw': async (request) => {
    for await (const _part of request) throw new Error('too long for me');
  },
  'pipeline to what fails': (request) =>
    pipeline(request, new Writable({ write: (_part, _encoding, done) => done(new Error('disk full')) })),
};

describe('a reader that leaves a streamed body [G4]', () => {
  for (const [name, read] of Object.entries(leaving)) {
    // The answer may be out before Node has closed the request.
    it.each(['at once', 'later'])(`is answered %s, and the connection is used on: ${name}`, async (when) => {
      await using server = await streaming({
        limits: limits({ timeoutSeconds: 0.1 }),
        handle: async (request, response) => {
          if (request.headers['x-read'] !== undefined) return await echo(request, response);
          await read(request).catch(() => {});
          if (when === 'later' && !request.closed) await new Promise((closed) => request.once('close', closed));
          response.end('enough');
        },
      });
      using client = await RawClient.open(server);
      await client.send(digested(long));
      expect(await client.response()).toMatchObject({ status: 200, body: 'enough' });
      await client.send(post('next', [`Digest: ${sha256('next')}`, 'X-Read: 1']));
      expect(await client.response()).toMatchObject({ status: 200, body: 'next' });
      expect(server.verdicts).toEqual([undefined, undefined]);
    });
  }

  it('is not told that its client was silent', async () => {
    const left = new Deferred();
    const answer = new Deferred();
    await using server = await streaming({
      limits: limits({ timeoutSeconds: 0.05 }),
      handle: async (request, response) => {
        for await (const _part of request) break;
        left.resolve();
        await answer.promise;
        response.end('enough');
      },
    });
    using client = await RawClient.open(server);
    await client.send(digested(long));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    await left.promise;
    vi.advanceTimersByTime(1000);
    vi.useRealTimers();
    answer.resolve();
    expect(await client.response()).toMatchObject({ status: 200, body: 'enough' });
    await vi.waitFor(() => expect(server.verdicts).toEqual([undefined]), patiently);
  });
});

describe('limits of a streamed body', () => {
  it('a Content-Length over the limit is refused before a byte of the body came [G4]', async () => {
    await using server = await streaming({ limits: limits({ maxBytes: 1000 }) });
    using client = await RawClient.open(server);
    await client.send(digested(long).subarray(0, -long.length));
    expect((await client.response()).status).toBe(413);
  });

  it('a chunked body over the limit fails its reader, and the client has its answer [G4]', async () => {
    let read = 0;
    await using server = await streaming({
      limits: limits({ maxBytes: 1000 }),
      handle: async (request, response) => {
        for await (const part of request) read += (part as Buffer).length;
        response.end(`all of it: ${read}`);
      },
    });
    using client = await RawClient.open(server);
    await client.send(chunkedDigested(long));
    await client.send(chunk(Buffer.alloc(900)));
    await client.send(chunk(Buffer.alloc(900)));
    expect(await client.response()).toMatchObject({ status: 413, body: 'body_too_large' });
    expect(read).toBeLessThanOrEqual(1000);
    expect(server.verdicts).toMatchObject([{ code: 'body_too_large' }]);
    // The rest is drained, so that the connection can be used again.
    await client.send(chunk(Buffer.alloc(900)));
    await client.send(lastChunk);
    await client.send(digested('the next one'));
    expect(await client.response()).toMatchObject({ status: 200, body: 'all of it: 912' });
  });

  it('exactly the limit is not too much [G4]', async () => {
    await using server = await streaming({ limits: limits({ maxBytes: 1000 }) });
    using client = await RawClient.open(server);
    await client.send(digested(Buffer.alloc(1000)));
    expect((await client.response()).status).toBe(200);
  });

  it('a silent client fails the reader in time [G4]', async () => {
    await using server = await streaming({ limits: limits({ timeoutSeconds: 0.1 }) });
    using client = await RawClient.open(server);
    await client.send(digested('never complete').subarray(0, -5));
    expect(await client.response()).toMatchObject({ status: 408, body: 'body_timeout' });
    await client.untilClosed();
  });

  it('a slow reader is not a silent client', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    await using server = await streaming({
      limits: limits({ maxBytes: 20_000_000, timeoutSeconds: 1 }),
      handle: async (request, response) => {
        await once(request, 'readable');
        vi.advanceTimersByTime(3000);
        await echo(request, response);
      },
    });
    using client = await RawClient.open(server);
    const body = Buffer.alloc(10_000_000, 'x');
    void client.send(digested(body));
    expect((await client.response()).status).toBe(200);
    expect(server.verdicts).toEqual([undefined]);
  });

  it('a client that goes away fails the reader [F5]', async () => {
    const failed = new Deferred<unknown>();
    const reading = new Deferred();
    await using server = await streaming({
      handle: async (request) => {
        reading.resolve();
        await readAll(request).then(failed.resolve, failed.resolve);
      },
    });
    using client = await RawClient.open(server);
    await client.send(digested('half of it').subarray(0, -5));
    await reading.promise;
    client.socket.destroy();
    expect(await failed.promise).toBeInstanceOf(Error);
    while (server.verdicts.length === 0) await setImmediate();
    expect(server.verdicts).toMatchObject([{ code: 'body_incomplete' }]);
  });

  it('a parser before the guard is found out [G2]', async () => {
    await using server = await streaming({
      before: async (request) => void (await readAll(request)),
    });
    using client = await RawClient.open(server);
    await client.send(digested('read already'));
    expect((await client.response()).status).toBe(500);
  });
});
