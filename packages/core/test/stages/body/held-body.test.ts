import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { holdIncoming } from '../../../src/stages/body/incoming-body.js';
import type { BodyFailure, BodyLimits } from '../../../src/model/request-body.js';
import { sendRefusal } from '../../../src/adapter/send-refusal.js';
import { refusal } from '../../../src/model/refusal.js';
import { refusalResponse } from '../../../src/model/refusal-response.js';
import { Deferred } from '../../deferred.js';
import { chunk, chunkedHead, lastChunk, RawClient, serve, post as undigested } from '../../adapter/raw-http.js';
import {
  chunkedHeadOf,
  post,
  expectUsable,
  guarded,
  readAll,
  readers,
  type Story,
  sha256,
  untilStalled,
} from './guarded-server.js';
import { limits } from './limits.js';

describe('a held body reaches its reader whole', () => {
  for (const [name, handle] of Object.entries(readers)) {
    for (const size of [0, 1, 20, 16 * 1024, 200_000]) {
      it(`of ${size} bytes, read by ${name}, twice on one connection`, async () => {
        await using server = await guarded({ handle });
        using client = await RawClient.open(server);
        const body = Buffer.alloc(size, 'abcdefg');
        for (let round = 0; round < 2; round++) {
          await client.send(post(body));
          const response = await client.response();
          expect(response).toMatchObject({ status: 200, body: body.toString('latin1') });
        }
      });
    }
  }

  it('when the head, and each piece of the body, comes alone', async () => {
    await using server = await guarded();
    using client = await RawClient.open(server);
    const bytes = post('dribbled');
    for (let at = 0; at < bytes.length; at += 7) await client.send(bytes.subarray(at, at + 7));
    expect(await client.response()).toMatchObject({ status: 200, body: 'dribbled' });
    await expectUsable(client);
  });

  // Whole while it was verified, and longer.
  it.each([20_000, 60_000, 150_000])(
    'of %d bytes, read by a slow pipe, though it is answered meanwhile',
    async (size) => {
      const stored = new Deferred<unknown>();
      const handle = async (request: IncomingMessage): Promise<Buffer> => {
        let length = 0;
        const slow = new Writable({
          highWaterMark: 1000,
          write: (bytes: Buffer, _encoding, done) => {
            length += bytes.length;
            setTimeout(done);
          },
        });
        void pipeline(request, slow).then(() => stored.resolve(length), stored.resolve);
        return Buffer.from('accepted');
      };
      await using server = await guarded({
        handle,
        // So that all of it is there.
        between: async (_body, request) => {
          while (!request.complete && request.socket.bytesRead < 64 * 1024) await setImmediate();
        },
      });
      using client = await RawClient.open(server);
      await client.send(post(Buffer.alloc(size)));
      expect(await client.response()).toMatchObject({ body: 'accepted' });
      expect(await stored.promise).toBe(size);
    },
  );

  it('when requests are pipelined', async () => {
    await using server = await guarded();
    using client = await RawClient.open(server);
    await client.send(Buffer.concat([post('first'), post('second'), post('third')]));
    for (const body of ['first', 'second', 'third'])
      expect(await client.response()).toMatchObject({ status: 200, body });
  });

  it('when nobody reads it, and the connection stays usable', async () => {
    await using server = await guarded({
      handle: async (request) => (request.headers['x-read'] === undefined ? Buffer.from('unread') : readAll(request)),
    });
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(500_000)));
    expect(await client.response()).toMatchObject({ status: 200, body: 'unread' });
    await client.send(post('read', ['X-Read: 1']));
    expect(await client.response()).toMatchObject({ status: 200, body: 'read' });
  });

  it('when an asynchronous middleware ran first and the whole body has arrived', async () => {
    await using server = await guarded({
      before: async (request) => {
        while (!request.complete) await setImmediate();
      },
    });
    using client = await RawClient.open(server);
    await client.send(post('early bird'));
    const response = await client.response();
    expect(response).toMatchObject({ status: 200, body: 'early bird' });
    await expectUsable(client);
  });

  it('when an asynchronous middleware ran first and half of it has arrived', async () => {
    const half = new Deferred();
    await using server = await guarded({
      before: async (request) => {
        while (request.readableLength < 5) await setImmediate();
        half.resolve();
      },
      between: async (_body, request) => {
        while (!request.complete) await setImmediate();
      },
    });
    using client = await RawClient.open(server);
    const bytes = post('1234567890');
    await client.send(bytes.subarray(0, -5));
    await half.promise;
    await client.send(bytes.subarray(-5));
    const response = await client.response();
    expect(response).toMatchObject({ status: 200, body: '1234567890' });
    await expectUsable(client);
  });

  it.each<[string, number, (request: IncomingMessage) => boolean]>([
    ['the whole body', 5000, ({ complete }) => complete],
    ['a part of the body', 500_000, ({ readableLength }) => readableLength > 0],
  ])('when fetch sends it on, and %s arrived before an asynchronous middleware ended', async (_what, size, isHere) => {
    await using upstream = await serve((request, response) => void request.pipe(response));
    const disturbed: boolean[] = [];
    await using server = await guarded({
      before: async (request) => {
        while (!isHere(request)) await setImmediate();
      },
      handle: async (request) => {
        disturbed.push(request.readableDidRead, Readable.isDisturbed(request));
        const body = request as unknown as NonNullable<RequestInit['body']>;
        const sent = await fetch(`http://127.0.0.1:${upstream.port}`, { method: 'POST', body, duplex: 'half' });
        return Buffer.from(await sent.arrayBuffer());
      },
    });
    using client = await RawClient.open(server);
    const body = 'u'.repeat(size);
    await client.send(post(body));
    expect(await client.response()).toMatchObject({ status: 200, body });
    expect(disturbed).toEqual([false, false]);
    await expectUsable(client);
  });

  it('when more than fits before accept() makes the client wait', async () => {
    const kept: number[] = [];
    let flowing = 0;
    await using server = await guarded({
      limits: limits({ maxBytes: 20_000_000 }),
      between: async (_body, request) => {
        await untilStalled(request);
        kept.push(request.socket.bytesRead);
        flowing = request.readableLength;
      },
    });
    using client = await RawClient.open(server);
    const body = Buffer.alloc(16_000_000, 'x');
    void client.send(post(body));
    const response = await client.response();
    expect(response.status).toBe(200);
    expect(kept[0]).toBeLessThan(300_000);
    expect(flowing).toBe(0);
    await expectUsable(client);
  });

  it('after Expect: 100-continue', async () => {
    await using server = await guarded();
    using client = await RawClient.open(server);
    const bytes = post('continued', ['Expect: 100-continue']);
    await client.send(bytes.subarray(0, -9));
    expect(await client.response({ informational: true })).toMatchObject({ status: 100 });
    await client.send(bytes.subarray(-9));
    expect(await client.response()).toMatchObject({ status: 200, body: 'continued' });
  });
});

describe('bytes are digested as they stood on the wire', () => {
  it('a body is refused when it is not the one whose digest was signed [A4]', async () => {
    await using server = await guarded();
    using client = await RawClient.open(server);
    await client.send(post('{"amount":1}'));
    expect((await client.response()).status).toBe(200);
    await client.send(post('{"amount":9}', [], '{"amount":1}'));
    const changed = await client.response();
    expect(changed.status).toBe(401);
    expect(JSON.parse(changed.body)).toMatchObject({ code: 'digest_mismatch' });
  });

  it('compressed bytes are not inflated, and bytes that are not UTF-8 stay as they are [A5]', async () => {
    await using server = await guarded();
    using client = await RawClient.open(server);
    for (const body of [gzipSync('{"a":1}'), Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28])]) {
      await client.send(post(body, ['Content-Encoding: gzip']));
      const response = await client.response();
      expect(Buffer.from(response.body, 'latin1')).toEqual(body);
    }
  });

  it('chunk framing is no part of the body, however it is cut [A5]', async () => {
    await using server = await guarded();
    using client = await RawClient.open(server);
    await client.send(chunkedHeadOf('chunked body'));
    for (const letter of 'chunked body') await client.send(chunk(letter));
    await client.send(lastChunk);
    const response = await client.response();
    expect(response).toMatchObject({ status: 200, body: 'chunked body' });
    await expectUsable(client);
  });

  it('a digest in the trailer section does not become a field of the request [A5]', async () => {
    const seen: string[][] = [];
    await using server = await guarded({
      handle: async (request) => {
        seen.push(request.rawHeaders);
        return readAll(request);
      },
    });
    using client = await RawClient.open(server);
    const trailer = `Content-Digest: sha-256=:${Buffer.from(sha256('body'), 'hex').toString('base64')}:`;
    await client.send(
      `${chunkedHead.replace('\r\n\r\n', '\r\nTrailer: Content-Digest\r\n\r\n')}4\r\nbody\r\n0\r\n${trailer}\r\n\r\n`,
    );
    expect(await client.response()).toMatchObject({ status: 200, body: 'body' });
    const names = seen[0]?.filter((_, index) => index % 2 === 0);
    expect(names).toEqual(['Host', 'Transfer-Encoding', 'Trailer']);
  });
});

describe('nothing reaches a reader before release', () => {
  it('not one byte, though a reader waits for it [A4]', async () => {
    const seen: string[] = [];
    await using server = await serve((request, response) => {
      const body = holdIncoming(request);
      void Promise.resolve(body.accept(limits(), new Map())).then(async () => {
        request.on('data', (part: Buffer) => seen.push(part.toString()));
        request.on('end', () => response.end());
        for (let turn = 0; turn < 10; turn++) await setImmediate();
        seen.push('released');
        body.release();
      });
    });
    using client = await RawClient.open(server);
    await client.send(post('secret'));
    await client.response();
    expect(seen).toEqual(['released', 'secret']);
  });

  it('nothing at all of a discarded body [A4]', async () => {
    const seen: string[] = [];
    await using server = await serve((request, response) => {
      const body = holdIncoming(request);
      void Promise.resolve(body.accept(limits(), new Map())).then(() => {
        void body.discard();
        request.on('data', (part: Buffer) => seen.push(part.toString()));
        request.on('end', () => {
          seen.push('end');
          response.end('refused');
        });
      });
    });
    using client = await RawClient.open(server);
    await client.send(post('secret'));
    expect(await client.response()).toMatchObject({ status: 200, body: 'refused' });
    expect(seen).toEqual(['end']);
  });

  it('release() of a body that is not whole throws, and gives nothing away', async () => {
    let thrown: unknown;
    await using server = await guarded({
      between: async (body, request) => {
        void body.accept(limits(), new Map());
        try {
          body.release();
        } catch (error) {
          thrown = error;
        }
        expect(request.readableLength).toBe(0);
      },
    });
    using client = await RawClient.open(server);
    await client.send(post('12345').subarray(0, -1));
    // The story's own accept() is the second one.
    expect(await client.response()).toMatchObject({ status: 599 });
    expect(String(thrown)).toContain('release() on a body that is holding');
  });

  it('released without accept(), the body passes through: for requests that are not guarded', async () => {
    await using server = await serve((request, response) => {
      const body = holdIncoming(request);
      void (async () => {
        for (let turn = 0; turn < 5; turn++) await setImmediate();
        body.release();
        response.end(await readAll(request));
      })();
    });
    using client = await RawClient.open(server);
    for (const size of [0, 10, 300_000]) {
      const bytes = Buffer.alloc(size, 'p');
      await client.send(post(bytes));
      expect((await client.response()).body).toHaveLength(size);
    }
  });
});

describe('limits', () => {
  const small: BodyLimits = limits({ maxBytes: 1000 });

  it('a Content-Length over the limit is refused before a byte of the body came [G4]', async () => {
    await using server = await guarded({ limits: small });
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(1001)).subarray(0, -1001));
    const response = await client.response();
    expect(response.status).toBe(413);
    expect(response.headers.toLowerCase()).toContain('connection: close');
  });

  it('a chunked body over the limit is refused while it comes [G4]', async () => {
    await using server = await guarded({ limits: small });
    using client = await RawClient.open(server);
    await client.send(chunkedHead);
    await client.send(chunk(Buffer.alloc(1000)));
    await client.send(chunk('!'));
    expect((await client.response()).status).toBe(413);
  });

  it('exactly the limit is not too much [G4]', async () => {
    await using server = await guarded({ limits: small });
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(1000)));
    expect((await client.response()).status).toBe(200);
    await client.send(Buffer.concat([Buffer.from(chunkedHead), chunk(Buffer.alloc(1000)), Buffer.from(lastChunk)]));
    expect((await client.response()).status).toBe(200);
  });

  it('a body over the limit that arrived before the guard is refused [G4]', async () => {
    await using server = await guarded({
      limits: small,
      before: async (request) => {
        while (!request.complete) await setImmediate();
      },
    });
    using client = await RawClient.open(server);
    await client.send(Buffer.concat([Buffer.from(chunkedHead), chunk(Buffer.alloc(1001)), Buffer.from(lastChunk)]));
    expect((await client.response()).status).toBe(413);
    await client.send(Buffer.concat([Buffer.from(chunkedHead), chunk('small'), Buffer.from(lastChunk)]));
    expect(await client.response()).toMatchObject({ status: 200, body: 'small' });
  });

  it('a body that trickles is cut off in time (slow loris) [G4]', async () => {
    await using server = await guarded({ limits: limits({ maxBytes: 1000, timeoutSeconds: 0.05 }) });
    using client = await RawClient.open(server);
    await client.send(post('never complete').subarray(0, -8));
    const response = await client.response();
    expect(response.status).toBe(408);
    expect(response.headers.toLowerCase()).toContain('connection: close');
  });

  it('one-byte chunks are kept, and handed on, in pages [G4]', async () => {
    let parts = 0;
    await using server = await guarded({
      handle: async (request) => {
        request.on('data', () => parts++);
        await once(request, 'end');
        return Buffer.from('read');
      },
    });
    using client = await RawClient.open(server);
    await client.send(`${chunkedHeadOf('x'.repeat(100_000))}${'1\r\nx\r\n'.repeat(100_000)}${lastChunk}`);
    expect((await client.response()).status).toBe(200);
    expect(parts).toBeLessThan(20);
  });
});

describe('a connection after a refusal', () => {
  it('is used again when the rest of the body is small', async () => {
    await using server = await serve((request, response) => {
      const body = holdIncoming(request);
      if (request.headers['x-bad'] === undefined) {
        void Promise.resolve(body.accept(limits(), new Map())).then(async () => {
          body.release();
          response.end(await readAll(request));
        });
        return;
      }
      void (async () => {
        await untilStalled(request);
        const end = once(request, 'end');
        void body.discard();
        await end;
        sendRefusal(response, refusalResponse(refusal('signature_invalid'), ''));
      })();
    });
    using client = await RawClient.open(server);
    for (const size of [0, 100, 900_000]) {
      await client.send(post(Buffer.alloc(size), ['X-Bad: 1']));
      const response = await client.response();
      expect(response.status).toBe(401);
      expect(response.headers.toLowerCase()).toContain('connection: keep-alive');
      await expectUsable(client);
    }
  });

  it('is used again when all of the body was held', async () => {
    await using server = await serve((request, response) => {
      const body = holdIncoming(request);
      void Promise.resolve(body.accept(limits(), new Map())).then(() => {
        void body.discard();
        sendRefusal(response, refusalResponse(refusal('digest_mismatch'), ''));
      });
    });
    using client = await RawClient.open(server);
    for (let round = 0; round < 3; round++) {
      await client.send(post(Buffer.alloc(100_000)));
      expect((await client.response()).status).toBe(401);
    }
  });

  it('is closed when the client goes silent, though the host answered as if it had read all [G4]', async () => {
    await using server = await serve(
      (request, response) => {
        void holdIncoming(request).discard();
        response.end('answered');
      },
      // Node would close it itself otherwise, a little later.
      { keepAliveTimeout: 60_000 },
    );
    using client = await RawClient.open(server);
    await client.send(post('half of it').subarray(0, -5));
    expect(await client.response()).toMatchObject({ status: 200, body: 'answered' });
    await client.untilClosed();
  });

  it('is closed when the client would go on for ever, and the client has its answer [G4]', async () => {
    const closed = new Deferred<number>();
    await using server = await guarded({
      limits: limits({ maxBytes: 1000 }),
      between: (_body, { socket }) => void socket.once('close', () => closed.resolve(socket.bytesRead)),
    });
    using client = await RawClient.open(server);
    await client.send(undigested(Buffer.alloc(50_000_000)).subarray(0, 200));
    const endless = setInterval(() => client.socket.write(Buffer.alloc(100_000)), 1);
    try {
      const response = await client.response();
      expect(response.status).toBe(413);
      expect(JSON.parse(response.body)).toMatchObject({ code: 'body_too_large' });
      await client.untilClosed();
      expect(await closed.promise).toBeLessThan(4_000_000);
    } finally {
      clearInterval(endless);
    }
  });
});

describe('a body that does not come whole', () => {
  it.each(['destroy', 'end'] as const)('the client goes away in the middle (%s) [F5]', async (how) => {
    const held = new Deferred<BodyFailure | undefined>();
    await using server = await guarded({ onAccepted: held.resolve });
    using client = await RawClient.open(server);
    await client.send(post('half of it').subarray(0, -5));
    client.socket[how]();
    expect(await held.promise).toMatchObject({ code: 'body_incomplete' });
  });

  it('the client went away before accept() [F5]', async () => {
    const held = new Deferred<BodyFailure | undefined>();
    const begun = new Deferred();
    await using server = await guarded({
      onAccepted: held.resolve,
      between: async (_body, request) => {
        begun.resolve();
        await new Promise<void>((resolve) => void request.once('close', resolve));
      },
    });
    using client = await RawClient.open(server);
    await client.send(post('half of it').subarray(0, -5));
    await begun.promise;
    client.socket.destroy();
    expect(await held.promise).toMatchObject({ code: 'body_incomplete' });
  });

  it('broken chunk framing', async () => {
    const held = new Deferred<BodyFailure | undefined>();
    await using server = await guarded({ onAccepted: held.resolve });
    using client = await RawClient.open(server);
    await client.send(chunkedHead);
    await client.send(chunk('good'));
    await client.send('zz\r\nbad');
    expect(await held.promise).toMatchObject({ code: 'body_incomplete' });
  });
});

describe('a parser before the guard is found out [G2]', () => {
  const parsers: Record<string, NonNullable<Story['before']>> = {
    'that read it all': async (request) => void (await readAll(request)),
    'that began to read': async (request) => void (await once(request, 'data')),
    'that dropped it': async (request) => {
      request.resume();
      await once(request, 'end');
    },
    'that has only begun to listen': (request) => void request.on('data', () => {}),
    'that waits for readable': (request) => void request.on('readable', () => {}),
    'that set an encoding after bytes had come': async (request) => {
      while (request.readableLength === 0) await setImmediate();
      request.setEncoding('utf8');
    },
  };

  for (const [name, before] of Object.entries(parsers)) {
    it(name, async () => {
      await using server = await guarded({ before });
      using client = await RawClient.open(server);
      await client.send(post('{"read":"already"}'));
      const response = await client.response();
      expect(response.status).toBe(500);
      expect(JSON.parse(response.body)).toMatchObject({ code: 'body_consumed' });
    });
  }

  it.each([
    ['GET', 'GET / HTTP/1.1\r\nHost: test\r\n\r\n'],
    ['HEAD', 'HEAD / HTTP/1.1\r\nHost: test\r\n\r\n'],
    ['POST with length 0', 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n'],
    ['POST with no chunks', `${chunkedHead}${lastChunk}`],
  ])('but not when there was nothing to read: %s', async (name, bytes) => {
    await using server = await guarded({
      before: async (request) => {
        request.resume();
        await once(request, 'end');
      },
      handle: async () => Buffer.from('let in'),
    });
    using client = await RawClient.open(server);
    await client.send(bytes);
    const response = await client.response({ head: name === 'HEAD' });
    expect(response.status).toBe(200);
  });
});
