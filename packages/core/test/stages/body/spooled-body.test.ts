import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../../test/support/patiently.js';
import { type BodyFailure, type RequestBody, SharedRoom } from '../../../src/model/request-body.js';
import { Deferred } from '../../deferred.js';
import { chunk, chunkedHead, lastChunk, RawClient, serve, post as undigested } from '../../adapter/raw-http.js';
import { holdIncoming } from '../../../src/stages/body/incoming-body.js';
import { post, expectUsable, guarded, readAll, readers, type Story, sha256, untilStalled } from './guarded-server.js';
import { limits } from './limits.js';
import { expectNothingLeft, openFiles, spoolFolder } from './spools.js';

const memoryBytes = 10_000;

/** Holds 10 kB in memory and the rest in this folder. */
function spooling(story: Story = {}): { folder: string; story: Story } {
  const folder = spoolFolder();
  return { folder, story: { limits: limits({ maxBytes: 20_000_000, memoryBytes, spoolDirectory: folder }), ...story } };
}

/** Resolves once a file of the body is open: only Linux shows it. */
async function untilSpooled(folder: string): Promise<void> {
  while (process.platform === 'linux' && openFiles(folder).length === 0) await setImmediate();
}

describe('a spooled body reaches its reader whole', () => {
  for (const [name, handle] of Object.entries(readers)) {
    for (const size of [memoryBytes, memoryBytes + 1, 524_288, 524_289, 1_600_000]) {
      it(`of ${size} bytes, read by ${name}, twice on one connection`, async () => {
        const { folder, story } = spooling({ handle });
        await using server = await guarded(story);
        using client = await RawClient.open(server);
        const body = randomBytes(size);
        for (let round = 0; round < 2; round++) {
          await client.send(post(body));
          const response = await client.response();
          expect(response.status).toBe(200);
          expect(sha256(Buffer.from(response.body, 'latin1'))).toBe(sha256(body));
        }
        await expectNothingLeft(folder);
      });
    }
  }

  it('when it comes in chunks of one byte', async () => {
    const { folder, story } = spooling();
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(`${chunkedHead}${'1\r\nx\r\n'.repeat(50_000)}${lastChunk}`);
    const response = await client.response();
    expect(response).toMatchObject({ status: 200, body: 'x'.repeat(50_000) });
    await expectNothingLeft(folder);
  });

  it('with its trailers', async () => {
    let trailers: NodeJS.Dict<string> = {};
    const { story } = spooling({
      handle: async (request) => {
        const read = await readAll(request);
        ({ trailers } = request);
        return read;
      },
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(chunkedHead);
    await client.send(chunk(Buffer.alloc(100_000, 't')));
    await client.send('0\r\nX-Checked: yes\r\n\r\n');
    expect(await client.response()).toMatchObject({ status: 200, body: 't'.repeat(100_000) });
    expect(trailers).toEqual({ 'x-checked': 'yes' });
  });

  it('when it was listened to before it was released', async () => {
    const seen: string[] = [];
    const folder = spoolFolder();
    await using server = await serve((request, response) => {
      const body = holdIncoming(request);
      void Promise.resolve(body.accept(limits({ memoryBytes, spoolDirectory: folder }), new Map())).then(async () => {
        let length = 0;
        request.on('data', (part: Buffer) => {
          length += part.length;
        });
        request.on('end', () => response.end(String(length)));
        for (let turn = 0; turn < 10; turn++) await setImmediate();
        seen.push(`before: ${length}`);
        body.release();
      });
    });
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(100_000)));
    expect((await client.response()).body).toBe('100000');
    expect(seen).toEqual(['before: 0']);
    await expectNothingLeft(folder);
  });
});

describe('memory [G4]', () => {
  it('a reader that is slow is given no more than it asks for', async () => {
    const waiting: number[] = [];
    const { story } = spooling({
      handle: async (request) => {
        let length = 0;
        for await (const part of request) {
          length += (part as Buffer).length;
          for (let turn = 0; turn < 5; turn++) await setImmediate();
          waiting.push(request.readableLength);
        }
        return Buffer.from(String(length));
      },
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(4_000_000)));
    expect(await client.response()).toMatchObject({ body: '4000000' });
    expect(Math.max(...waiting)).toBeLessThan(130_000);
  });

  it('100 MB cost far less than that in heap and buffers', async () => {
    const size = 100_000_000;
    const folder = spoolFolder();
    let peak = 0;
    const watch = () => {
      const { external, heapUsed } = process.memoryUsage();
      peak = Math.max(peak, external + heapUsed);
    };
    await using server = await guarded({
      limits: limits({ maxBytes: size, spoolDirectory: folder }),
      handle: async (request) => {
        let length = 0;
        for await (const part of request) {
          length += (part as Buffer).length;
          watch();
        }
        return Buffer.from(String(length));
      },
      onAccepted: watch,
    });
    using client = await RawClient.open(server);
    const block = Buffer.alloc(1_000_000);
    watch();
    const before = peak;
    await client.send(undigested(Buffer.alloc(0)).toString().replace('Content-Length: 0', `Content-Length: ${size}`));
    for (let sent = 0; sent < size; sent += block.length) {
      await client.send(block);
      watch();
    }
    expect(await client.response()).toMatchObject({ status: 200, body: String(size) });
    expect(peak - before).toBeLessThan(60_000_000);
    await expectNothingLeft(folder);
  });
});

describe('nothing is left of a spooled body', () => {
  const body = Buffer.alloc(500_000);

  it('when it is refused [A4]', async () => {
    const folder = spoolFolder();
    await using server = await serve((request, response) => {
      const held = holdIncoming(request);
      void Promise.resolve(held.accept(limits({ memoryBytes, spoolDirectory: folder }), new Map())).then(() => {
        void held.discard();
        request.on('data', () => response.destroy());
        request.on('end', () => response.end('nothing came'));
      });
    });
    using client = await RawClient.open(server);
    for (let round = 0; round < 2; round++) {
      await client.send(post(body));
      expect(await client.response()).toMatchObject({ body: 'nothing came' });
    }
    await expectNothingLeft(folder);
  });

  it('when the client goes away in the middle [F5]', async () => {
    const held = new Deferred<BodyFailure | undefined>();
    const { folder, story } = spooling({ onAccepted: held.resolve });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(body).subarray(0, -5));
    await untilSpooled(folder);
    client.socket.destroy();
    expect(await held.promise).toMatchObject({ code: 'body_incomplete' });
    await expectNothingLeft(folder);
  });

  it('when the client goes away before the handler reads [F5]', async () => {
    const arrived = new Deferred<IncomingMessage>();
    const { folder, story } = spooling({
      handle: async (request) => {
        arrived.resolve(request);
        await once(request, 'close');
        return Buffer.alloc(0);
      },
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(body));
    await arrived.promise;
    client.socket.destroy();
    await expectNothingLeft(folder);
  });

  it('when it trickles', async () => {
    const { folder, story } = spooling({
      limits: limits({ maxBytes: 600_000, memoryBytes, spoolDirectory: spoolFolder(), timeoutSeconds: 0.2 }),
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(body).subarray(0, -5));
    expect((await client.response()).status).toBe(408);
    await expectNothingLeft(story.limits?.spoolDirectory ?? folder);
  });

  it('when it is too long', async () => {
    const { folder, story } = spooling({
      limits: limits({ maxBytes: 600_000, memoryBytes, spoolDirectory: spoolFolder() }),
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(chunkedHead);
    await client.send(chunk(body));
    await client.send(chunk(body));
    expect((await client.response()).status).toBe(413);
    await expectNothingLeft(story.limits?.spoolDirectory ?? folder);
  });

  it('when nobody reads it, and the connection stays usable', async () => {
    const { folder, story } = spooling({
      handle: async (request) => (request.headers['x-read'] === undefined ? Buffer.from('unread') : readAll(request)),
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(body));
    expect(await client.response()).toMatchObject({ body: 'unread' });
    await expectNothingLeft(folder);
    await client.send(post('read', ['X-Read: 1']));
    expect(await client.response()).toMatchObject({ body: 'read' });
  });

  it('when nobody reads it, and its first bytes came before the guard [G4]', async () => {
    const { folder, story } = spooling({
      before: async (request) => {
        while (request.readableLength === 0) await setImmediate();
      },
      handle: async () => Buffer.from('unread'),
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(body));
    expect(await client.response()).toMatchObject({ body: 'unread' });
    await expectNothingLeft(folder);
  });

  it('when its reader gives up, and the client has its answer', async () => {
    const { folder, story } = spooling({
      handle: async (request) => {
        if (request.headers['x-read'] !== undefined) return await readAll(request);
        for await (const part of request) return (part as Buffer).subarray(0, 10);
        return Buffer.alloc(0);
      },
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(500_000, 'g')));
    expect(await client.response()).toMatchObject({ status: 200, body: 'g'.repeat(10) });
    await expectNothingLeft(folder);
    await client.send(post('read', ['X-Read: 1']));
    expect(await client.response()).toMatchObject({ body: 'read' });
  });

  it.each([100_000, 1_200_000])('when its reader stops without a word, after %d bytes', async (bytes) => {
    const folder = spoolFolder();
    const heldMemory = new SharedRoom(4_000_000);
    const failed = new Deferred<unknown>();
    const patienceSeconds = 30;
    const { story } = spooling({
      limits: limits({
        maxBytes: 1_200_000,
        memoryBytes: 200_000,
        heldMemory,
        spoolDirectory: folder,
        timeoutSeconds: patienceSeconds,
      }),
      handle: async (request) => {
        if (request.headers['x-read'] !== undefined) return await readAll(request);
        request.on('error', failed.resolve);
        request.on('data', () => request.pause());
        await once(request, 'data');
        // From here on time passes as the test says.
        vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
        return Buffer.from('enough');
      },
    });
    onTestFinished(() => void vi.useRealTimers());
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(bytes)));
    expect(await client.response()).toMatchObject({ body: 'enough' });
    while (vi.getTimerCount() === 0) await setImmediate();
    vi.advanceTimersByTime(patienceSeconds * 1000);
    vi.useRealTimers();
    expect(await failed.promise).toMatchObject({ status: 400, code: 'body_incomplete' });
    await vi.waitFor(() => expect(heldMemory.taken).toBe(0), patiently);
    await expectNothingLeft(folder);
    await client.send(post('read', ['X-Read: 1']));
    expect(await client.response()).toMatchObject({ body: 'read' });
  });

  // As parsers leave it that find a body too large for them.
  it.each([150_000, 1_200_000])(
    'at once when its reader has gone at the answer, after %d bytes [G4]',
    async (bytes) => {
      const folder = spoolFolder();
      const heldMemory = new SharedRoom(4_000_000);
      const inNode: number[] = [];
      await using server = await guarded({
        limits: limits({ maxBytes: 1_200_000, memoryBytes: 200_000, heldMemory, spoolDirectory: folder }),
        handle: async (request) => {
          if (request.headers['x-read'] !== undefined) return await readAll(request);
          const stop = () => request.off('data', stop).pause();
          request.on('data', stop);
          await once(request, 'pause');
          for (let turn = 0; turn < 10; turn++) await setImmediate();
          inNode.push(request.readableLength);
          return Buffer.from('too large for me');
        },
      });
      using client = await RawClient.open(server);
      await client.send(post(Buffer.alloc(bytes)));
      expect(await client.response()).toMatchObject({ body: 'too large for me' });
      expect(inNode[0]).toBeLessThanOrEqual(128 * 1024);
      await vi.waitFor(() => expect(heldMemory.taken).toBe(0), patiently);
      await expectNothingLeft(folder);
      await client.send(post('read', ['X-Read: 1']));
      expect(await client.response()).toMatchObject({ body: 'read' });
    },
  );

  it.each([150_000, 3_000_000])('but a handler that answers first may read on, %d bytes', async (bytes) => {
    const read = new Deferred<Buffer>();
    const { folder, story } = spooling({
      handle: async (request) => {
        void readAll(request).then(read.resolve);
        return Buffer.from('accepted');
      },
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(bytes, 'r')));
    expect(await client.response()).toMatchObject({ body: 'accepted' });
    expect((await read.promise).equals(Buffer.alloc(bytes, 'r'))).toBe(true);
    await expectNothingLeft(folder);
  });
});

describe('bodies that wait together', () => {
  it('go to files when they have filled the memory that they share, and give it back [G4]', async () => {
    const folder = spoolFolder();
    // One sender may have half.
    const heldMemory = new SharedRoom(500_000);
    const shared = limits({ memoryBytes: 100_000, heldMemory, spoolDirectory: folder });
    await using server = await guarded({ limits: shared });
    const clients: RawClient[] = [];
    const body = Buffer.alloc(100_000, 'w');
    const request = post(body);
    for (let count = 0; count < 4; count++) {
      const client = await RawClient.open(server);
      clients.push(client);
      await client.send(request.subarray(0, -1));
    }
    // Two fit; of the others the first part may still have found room.
    await vi.waitFor(() => expect(openFiles(folder).length).toBe(process.platform === 'linux' ? 2 : 0), patiently);
    for (const client of clients) {
      await client.send(request.subarray(-1));
      expect((await client.response()).body).toBe(body.toString());
      client[Symbol.dispose]();
    }
    await expectNothingLeft(folder);
    expect(heldMemory.shareOf('').take(250_000)).toBe(true);
  });

  it('are refused beyond the files that they share, before a file is made for them [G4]', async () => {
    const folder = spoolFolder();
    // One sender may have two.
    const heldFiles = new SharedRoom(4);
    const few = limits({ memoryBytes, heldMemory: new SharedRoom(0), heldFiles, spoolDirectory: folder });
    await using server = await guarded({ limits: few });
    const body = Buffer.alloc(500, 'f');
    const request = post(body);
    const clients: RawClient[] = [];
    for (let count = 0; count < 2; count++) {
      const client = await RawClient.open(server);
      clients.push(client);
      await client.send(request.subarray(0, -1));
    }
    await vi.waitFor(() => expect(heldFiles.taken).toBe(2), patiently);
    using third = await RawClient.open(server);
    await third.send(request.subarray(0, -1));
    expect(JSON.parse((await third.response()).body)).toMatchObject({ status: 503, code: 'spool_unavailable' });
    expect(openFiles(folder)).toEqual([]);
    for (const client of clients) {
      await client.send(request.subarray(-1));
      expect((await client.response()).body).toBe(body.toString());
      client[Symbol.dispose]();
    }
    await expectNothingLeft(folder);
    await vi.waitFor(() => expect(heldFiles.taken).toBe(0), patiently);
  });
});

describe('a released body that nobody reads', () => {
  // In memory, and in a file.
  it.each([100_000, 300_000])('of %d bytes counts for its sender until a handler reads it [G4]', async (bytes) => {
    const heldMemory = new SharedRoom(500_000);
    const heldDisk = new SharedRoom(1_000_000);
    const released = new Deferred();
    const mayRead = new Deferred();
    const folder = spoolFolder();
    const inNode: number[] = [];
    await using server = await guarded({
      limits: limits({ memoryBytes: 200_000, heldMemory, heldDisk, spoolDirectory: folder }),
      handle: async (request) => {
        await setImmediate();
        inNode.push(request.readableLength);
        released.resolve();
        await mayRead.promise;
        return readAll(request);
      },
    });
    using client = await RawClient.open(server);
    const body = Buffer.alloc(bytes, 'u');
    await client.send(post(body));
    await released.promise;
    expect(inNode).toStrictEqual([0]);
    expect(heldMemory.taken + heldDisk.taken).toBe(bytes);
    mayRead.resolve();
    expect((await client.response()).body).toBe(body.toString());
    await expectNothingLeft(folder);
    await vi.waitFor(() => expect(heldMemory.taken + heldDisk.taken).toBe(0), patiently);
  });

  it.each([100_000, 300_000])('of %d bytes is no empty one for who comes after the answer', async (bytes) => {
    const late = new Deferred<unknown>();
    await using server = await guarded({
      limits: limits({ memoryBytes: 200_000, spoolDirectory: spoolFolder() }),
      handle: async (request) => {
        request.once('countersign-discarded', () => void readAll(request).then(late.resolve, late.resolve));
        return Buffer.from('answered');
      },
      between: (body, request) => {
        const discard = body.discard.bind(body);
        body.discard = () => {
          const verdict = discard();
          request.emit('countersign-discarded');
          return verdict;
        };
      },
    });
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(bytes, 'l')));
    expect((await client.response()).body).toBe('answered');
    expect(await late.promise).toBeInstanceOf(Error);
  });
});

describe('a body that cannot be spooled', () => {
  it('is refused as an outage of ours, and a small one is not', async () => {
    const folder = join(spoolFolder(), 'gone');
    await using server = await guarded({ limits: limits({ memoryBytes, spoolDirectory: folder }) });
    using client = await RawClient.open(server);
    await client.send(post(Buffer.alloc(100_000)));
    const response = await client.response();
    expect(response.status).toBe(503);
    expect(JSON.parse(response.body)).toMatchObject({ code: 'spool_unavailable' });
    await expectUsable(await RawClient.open(server));
  });

  it('keeps the client waiting before it is known whether it may be spooled at all [G4]', async () => {
    const kept: number[] = [];
    const { folder, story } = spooling({
      between: async (_body: RequestBody, request: IncomingMessage) => {
        await untilStalled(request);
        kept.push(readdirSync(folder).length, openFiles(folder).length);
      },
    });
    await using server = await guarded(story);
    using client = await RawClient.open(server);
    void client.send(post(Buffer.alloc(9_000_000)));
    expect((await client.response()).status).toBe(200);
    expect(kept).toEqual([0, 0]);
  });
});
