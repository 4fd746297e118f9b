import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, constants, createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../../../test/support/patiently.js';
import { type BodyLimits, type Digests, type RequestBody, SharedRoom } from '../../../src/model/request-body.js';
import { http2StreamOf } from '../../../src/stages/body/http2-stream.js';
import { holdIncoming, streamIncoming } from '../../../src/stages/body/incoming-body.js';
import { chunk, chunkedHead, lastChunk, RawClient, serve } from '../../adapter/raw-http.js';
import { Deferred } from '../../deferred.js';
import { limits } from './limits.js';
import { expectNothingLeft, spoolFolder } from './spools.js';

/** Of several blocks of a spool. */
const body = Buffer.alloc(1_600_000, 'abcdefg');
const part = body.subarray(0, 5000);

interface Way {
  readonly take: (request: IncomingMessage) => RequestBody;
  readonly limits?: Partial<BodyLimits>;
  /** What arrives before the client goes. Default: the whole body. */
  readonly sent?: Uint8Array;
  /** False: the guard lets the body pass without a look at it. */
  readonly accepts?: boolean;
  readonly signed?: string | Uint8Array;
  /** Node does not look at the connection until somebody reads. */
  readonly isPaused?: boolean;
}

const inMemory = { maxBytes: 2_000_000, memoryBytes: 2_000_000 };
const spooled = { maxBytes: 2_000_000, memoryBytes: 10_000 };
const ways: Record<string, Way> = {
  'held in memory': { take: holdIncoming, limits: inMemory },
  spooled: { take: holdIncoming, limits: spooled },
  streamed: { take: (request) => streamIncoming(request, () => {}), sent: part },
  'passed through': { take: holdIncoming, sent: part, accepts: false },
  'kept in memory after a failure': {
    take: holdIncoming,
    limits: { ...inMemory, keepsFailed: true },
    signed: 'something else',
  },
  'kept in a file after a failure': {
    take: holdIncoming,
    limits: { ...spooled, keepsFailed: true },
    signed: 'something else',
  },
  'kept in part after a failure': {
    take: holdIncoming,
    limits: { maxBytes: 1000, keepsFailed: true },
    sent: part,
    isPaused: true,
  },
};

const moments = ['before its release', 'before the first read', 'in the middle'] as const;

/** A client that sends bytes and goes. */
interface Client extends AsyncDisposable {
  readonly go: () => void;
}

type Handler = (request: IncomingMessage) => void;
type Protocol = (handle: Handler, sent: Uint8Array, isWhole: boolean) => Promise<Client>;

async function http1(handle: Handler, sent: Uint8Array, isWhole: boolean): Promise<Client> {
  const server = await serve(handle);
  const client = await RawClient.open(server);
  void client.send(Buffer.concat([Buffer.from(chunkedHead), chunk(sent), Buffer.from(isWhole ? lastChunk : '')]));
  return { go: () => client.socket.destroy(), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function http2(code: number): Protocol {
  return async (handle, sent, isWhole) => {
    const server = createServer((request) => handle(request as unknown as IncomingMessage));
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (opened) => sessions.add(opened));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    session.on('error', () => {});
    const stream = session.request({ ':method': 'POST' }, { endStream: false });
    stream.on('error', () => {});
    stream.write(sent);
    if (isWhole) stream.end();
    return {
      go: () => stream.close(code),
      async [Symbol.asyncDispose]() {
        session.destroy();
        for (const opened of sessions) opened.destroy();
        server.close();
        await once(server, 'close');
      },
    };
  };
}

const protocols: Record<string, Protocol> = {
  'HTTP/1': http1,
  'HTTP/2, reset with CANCEL': http2(constants.NGHTTP2_CANCEL),
  'HTTP/2, reset with NO_ERROR': http2(constants.NGHTTP2_NO_ERROR),
};

async function untilGone(request: IncomingMessage, isPaused = false): Promise<void> {
  const stream = http2StreamOf(request);
  const isGone = () => (stream === undefined ? isPaused || request.destroyed : stream.closed);
  while (!isGone()) await setImmediate();
  // Node tells the request a little later.
  for (let turn = 0; turn < 10; turn++) await setImmediate();
}

function digestsOf(bytes: string | Uint8Array): Digests {
  return new Map([['sha-256', createHash('sha256').update(bytes).digest()]]);
}

interface Read {
  length: number;
  end?: unknown;
}

describe.each(Object.entries(protocols))('a body over %s whose client goes', (_protocol, open) => {
  describe.each(moments)('%s', (moment) => {
    it.each(Object.entries(ways))('lets no reader wait when it is %s [F5, G4]', async (_way, way) => {
      const spoolDirectory = spoolFolder();
      const heldMemory = new SharedRoom(128 * 1024 * 1024);
      const given = limits({ ...way.limits, spoolDirectory, heldMemory });
      const client = new Deferred<Client>();
      const ended = new Deferred<Read>();
      const go = async (request: IncomingMessage) => {
        (await client.promise).go();
        await untilGone(request, way.isPaused);
      };
      const handle = async (request: IncomingMessage, read: Read) => {
        const taken = way.take(request);
        if (way.accepts !== false) await taken.accept(given, digestsOf(way.signed ?? body), 'agent');
        if (moment === 'before its release') await go(request);
        taken.release();
        if (moment === 'before the first read') await go(request);
        for await (const bytes of request) {
          if (read.length === 0 && moment === 'in the middle') await go(request);
          read.length += (bytes as Buffer).length;
        }
      };
      const settle = (request: IncomingMessage) => {
        const read: Read = { length: 0 };
        handle(request, read).then(
          () => ended.resolve({ ...read, end: 'ended' }),
          (error: unknown) => ended.resolve({ ...read, end: error }),
        );
      };
      const isWhole = way.sent === undefined;
      await using opened = await open(settle, way.sent ?? body, isWhole);
      client.resolve(opened);
      const { length, end } = await ended.promise;
      if (isWhole && end === 'ended') expect(length).toBe(body.length);
      // What is released before that is fed by Node, which ends a stream of HTTP/2 that is reset.
      if (!isWhole && moment === 'before its release') expect(end).not.toBe('ended');
      // A block may still be read.
      await vi.waitFor(() => expect(heldMemory.taken).toBe(0), patiently);
      await expectNothingLeft(spoolDirectory);
    });
  });
});

describe.each(Object.entries(protocols))(
  'a failed body over %s that is kept, and that nobody reads',
  (_protocol, open) => {
    it.each(['before', 'after'])('gives its memory back when its client goes %s its release [G4]', async (when) => {
      const heldMemory = new SharedRoom(128 * 1024 * 1024);
      const client = new Deferred<Client>();
      const released = new Deferred<number>();
      const handle = async (request: IncomingMessage) => {
        const taken = holdIncoming(request);
        await taken.accept(
          limits({ ...inMemory, keepsFailed: true, heldMemory }),
          digestsOf('something else'),
          'agent',
        );
        const held = heldMemory.taken;
        const { go } = await client.promise;
        if (when === 'after') taken.release();
        go();
        await untilGone(request);
        if (when === 'before') taken.release();
        released.resolve(held);
      };
      await using opened = await open((request) => void handle(request), body, true);
      client.resolve(opened);
      expect(await released.promise).toBe(body.length);
      while (heldMemory.taken > 0) await setImmediate();
    });
  },
);
