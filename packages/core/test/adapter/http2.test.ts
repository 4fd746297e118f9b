import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, vi } from 'vitest';
import { agentId, type Guarded, guarded, outcomeOf, signed, unsigned } from '../../../../test/support/guarded.js';
import { Http2Frames } from '../../../../test/support/http2-frames.js';
import { patiently } from '../../../../test/support/patiently.js';
import { type RawRequest, sha256Digest, tampered } from '../../../../test/support/signed-request.js';
import { continueAfterVerification } from '../../src/stages/body/expect-continue.js';
import { admissionOf } from '../../src/adapter/admission.js';
import { admit } from '../../src/adapter/admit.js';
import type { Guard } from '../../src/guard.js';
import type { AdmissionOptions } from '../../src/adapter/options.js';
import { expectNothingLeft, openFiles, spoolFolder } from '../stages/body/spools.js';
import { Deferred } from '../deferred.js';
import { selfSigned } from '../../../../test/support/self-signed.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

interface Served extends AsyncDisposable {
  readonly server: Http2SecureServer;
  readonly port: number;
  readonly session: ClientHttp2Session;
  /** The server's side of all sessions. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

const tls = selfSigned();

/**
 * A server for HTTP/2 and HTTP/1 on one port, behind a guard, with an HTTP/2 client. `before` is a middleware that runs
 * before the guard.
 */
async function serve(
  { guard }: Guarded,
  handle: Handler = count,
  options: AdmissionOptions = {},
  before?: (stream: ServerHttp2Stream) => Promise<unknown>,
): Promise<Served> {
  const server = createSecureServer({ ...tls, allowHTTP1: true }, (incoming, outgoing) => {
    const request = incoming as unknown as IncomingMessage;
    const response = outgoing as unknown as ServerResponse;
    const admitting = () => admit(() => guard, { request, response, target: request.url ?? '' }, options);
    (before === undefined ? admitting() : before(incoming.stream).then(admitting))
      .then((admitted) => (admitted ? handle(request, response) : undefined))
      .catch((error: unknown) => {
        admissionOf(request)?.outcome?.threw(error);
        const { status = 599, code = String(error) } = error as { readonly status?: number; readonly code?: string };
        response.statusCode = status;
        response.end(code);
      });
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (opened) => sessions.add(opened));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => {});
  return {
    server,
    port,
    session,
    sessions,
    async [Symbol.asyncDispose]() {
      session.destroy();
      // Node may miss that the client has left.
      for (const opened of sessions) opened.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function count(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0;
  for await (const part of request) length += (part as Buffer).length;
  response.end(`${admissionOf(request)?.caller?.actor.id}: ${length}`);
}

/** The head of a request as an HTTP/2 client sends it; `more` replaces or adds fields. */
function headOf({ method, target, fields }: RawRequest, more: Record<string, string> = {}): Record<string, string> {
  const head: Record<string, string> = { ':method': method, ':path': target };
  for (const [name, value] of fields) head[name === 'Host' ? ':authority' : name.toLowerCase()] = value;
  return { ...head, ...more };
}

function begin({ session }: Served, request: RawRequest, more?: Record<string, string>): ClientHttp2Stream {
  const stream = session.request(headOf(request, more), { endStream: request.body.length === 0 });
  stream.on('error', () => {});
  return stream;
}

async function answer(
  stream: ClientHttp2Stream,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { readonly ':status': number }];
  stream.setEncoding('utf8');
  let body = '';
  for await (const part of stream) body += String(part);
  return { status: headers[':status'], headers, body };
}

async function send(served: Served, request: RawRequest, more?: Record<string, string>): ReturnType<typeof answer> {
  const stream = begin(served, request, more);
  if (request.body.length > 0) stream.end(request.body);
  return await answer(stream);
}

function outcomesOf({ audit }: Guarded): unknown[] {
  return audit.records.flatMap(({ outcome }) => outcome ?? []);
}

const body = Buffer.alloc(300_000, 'abcdefg');
const forged = Buffer.concat([body.subarray(0, -1), Buffer.from('!')]);
const put = () => signed({ method: 'PUT', target: '/a//b%2Fc?x=y', body });

describe('the address of a request over HTTP/2 [A13]', () => {
  it('is taken from :authority', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    expect(await send(served, signed({ target: '/x?y' }))).toMatchObject({ status: 200, body: `${agentId}: 0` });
    const elsewhere = await send(served, signed({}), { ':authority': 'api.acme.evil' });
    expect(JSON.parse(elsewhere.body)).toMatchObject({ code: 'origin_mismatch' });
  });

  it('may be repeated in Host, if both are equal', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    expect(await send(served, signed({}), { host: 'API.acme.dev' })).toMatchObject({ status: 200 });
    for (const host of ['api.acme.evil', 'api.acme.dev:443']) {
      expect(JSON.parse((await send(served, signed({}), { host })).body)).toMatchObject({ code: 'request_malformed' });
    }
  });

  it('has the scheme of the configured origin, whatever :scheme says', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    const request = signed({ covered: ['"@method"', '"@target-uri"'], scheme: 'https' });
    expect(await send(served, request, { ':scheme': 'http' })).toMatchObject({ status: 200 });
  });

  it('cannot be covered by the name of a pseudo-field', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    for (const name of ['":path"', '":authority"']) {
      const response = await send(served, signed({ alsoCovered: [name] }));
      expect(response.status, name).toBeGreaterThanOrEqual(400);
      expect(response.status, name).toBeLessThan(500);
    }
  });
});

describe('a body over HTTP/2', () => {
  it('is held, verified and recorded on concurrent streams', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    const responses = await Promise.all([0, 1, 2].map(() => send(served, put())));
    for (const response of responses) expect(response).toMatchObject({ status: 200, body: `${agentId}: 300000` });
    expect(parts.audit.records.map(({ outcome }) => outcome)).toEqual(
      responses.map(() => ({ result: 'finished', status: 200, undecided: true })),
    );
  });

  it('reaches a reader whole that is at work when the answer goes out', async () => {
    const read = new Deferred<unknown>();
    await using served = await serve(await guarded(), async (request, response) => {
      const through = new PassThrough({ highWaterMark: 1000 });
      pipeline(request, through).catch(read.resolve);
      response.end('accepted');
      await once(request, 'close');
      let length = 0;
      for await (const part of through) length += (part as Buffer).length;
      read.resolve(length);
    });
    await send(served, signed({ method: 'POST', body: Buffer.alloc(300_000) }));
    expect(await read.promise).toBe(300_000);
  });

  it('is refused when it was changed, and the session stays open [A4]', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    const response = await send(served, tampered(put(), { body: forged }));
    expect(response.status).toBe(401);
    expect(response.headers).toMatchObject({ 'content-type': 'application/problem+json' });
    expect(response.headers).not.toHaveProperty('connection');
    expect(JSON.parse(response.body)).toMatchObject({ code: 'digest_mismatch' });
    expect(await send(served, put())).toMatchObject({ status: 200 });
  });

  it('needs its digest also without a Content-Length [A4]', async () => {
    const parts = await guarded();
    let ran = 0;
    await using served = await serve(parts, async () => void ran++);
    const request = signed({ method: 'POST', target: '/', contentType: null });
    const stream = served.session.request(headOf(request), { endStream: false });
    stream.end('smuggled');
    expect(JSON.parse((await answer(stream)).body)).toMatchObject({ code: 'digest_required' });
    expect(ran).toBe(0);
  });

  it('gets a Content-Length for its handler, because parsers ignore a body without one [H1]', async () => {
    const parts = await guarded();
    await using served = await serve(
      parts,
      async (request, response) => void response.end(request.headers['content-length'] ?? 'none'),
    );
    const request = tampered(put(), { fields: { 'Content-Length': null } });
    expect(await send(served, request)).toMatchObject({ status: 200, body: '300000' });
    expect(await send(served, signed({}))).toMatchObject({ status: 200, body: 'none' });
  });

  it('is refused when its digest is only in the trailer [A5]', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    const request = signed({ method: 'POST', target: '/', contentType: null });
    const stream = served.session.request(headOf(request), { endStream: false, waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'content-digest': sha256Digest('smuggled') }));
    stream.end('smuggled');
    expect(JSON.parse((await answer(stream)).body)).toMatchObject({ code: 'digest_required' });
  });

  it('keeps its trailers', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (request, response) => {
      request.resume();
      await once(request, 'end');
      response.end(String(request.trailers['x-checked']));
    });
    const stream = served.session.request(headOf(put()), { endStream: false, waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checked': 'yes' }));
    stream.end(body);
    expect(await answer(stream)).toMatchObject({ status: 200, body: 'yes' });
  });

  it.each<[string, (stream: ClientHttp2Stream, session: ClientHttp2Session) => void]>([
    ['without an error', (stream) => void stream.destroy()],
    ['with an error', (stream) => void stream.destroy(new Error('gone'))],
    ['with the whole session', (_stream, session) => session.destroy()],
  ])('reaches no handler when it is cut off %s [F5]', async (_how, cut) => {
    const parts = await guarded();
    let ran = 0;
    await using served = await serve(parts, async () => void ran++);
    const stream = begin(served, put());
    stream.write(body.subarray(0, 1000));
    await once(served.server, 'stream');
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    cut(stream, served.session);
    while (parts.audit.records.length === 0) await setImmediate();
    expect(parts.audit.records).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
    expect(ran).toBe(0);
  });

  it.each<[string, (served: Served) => void]>([
    ['client', ({ session }) => session.destroy()],
    ['server', ({ sessions }) => sessions.forEach((opened) => opened.destroy())],
  ])('is refused as incomplete when the %s ended the session before the guard ran [F5]', async (_who, end) => {
    const parts = await guarded();
    await using served = await serve(parts, count, {}, (stream) => once(stream, 'close'));
    const stream = begin(served, put());
    stream.write(body.subarray(0, 1000));
    await once(served.server, 'stream');
    end(served);
    while (parts.audit.records.length === 0) await setImmediate();
    expect(parts.audit.records).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
  });

  it('leaves nothing behind when it was spooled to a file [G4]', async () => {
    const folder = spoolFolder();
    const parts = await guarded({ memoryBodyBytes: 10_000, spoolDirectory: folder });
    await using served = await serve(parts, async (request, response) => {
      if (request.method === 'POST') response.end('unread');
      else await count(request, response);
    });
    for (let round = 0; round < 2; round++) {
      expect(await send(served, put())).toMatchObject({ status: 200, body: `${agentId}: 300000` });
      expect(await send(served, signed({ method: 'POST', body }))).toMatchObject({ status: 200, body: 'unread' });
      expect(await send(served, tampered(put(), { body: forged }))).toMatchObject({ status: 401 });
    }
    await expectNothingLeft(folder);
  });

  it('is refused when 512 bodies of its agent have a file already, and those are not [G4]', async () => {
    const folder = spoolFolder();
    // Nothing fits in memory.
    const parts = await guarded({ memoryBodyBytes: 1, spoolDirectory: folder });
    await using served = await serve(parts);
    const small = Buffer.alloc(100);
    const streams = Array.from({ length: 513 }, () => begin(served, signed({ method: 'PUT', body: small })));
    for (const stream of streams) stream.write(small.subarray(1));
    const [first] = (await Promise.race(streams.map((stream) => once(stream, 'response')))) as [IncomingHttpHeaders];
    expect(first).toMatchObject({ ':status': 503 });
    expect(parts.audit.records).toMatchObject([
      { code: 'spool_unavailable', detail: expect.stringContaining('files') },
    ]);
    expect(openFiles(folder)).toEqual([]);
    for (const stream of streams) stream.destroy();
    await vi.waitFor(() => expect(parts.guard.status().heldBodies.diskBytes).toBe(0), patiently);
  });

  it('of an unverified client is not read to its end [G4]', async () => {
    const parts = await guarded({ maxBodyBytes: 100_000_000 });
    await using served = await serve(parts);
    const stream = begin(served, unsigned({ method: 'PUT', body }));
    const endless = setInterval(() => stream.write(body), 1);
    try {
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
      expect(headers).toMatchObject({ ':status': 401 });
      stream.resume();
      await once(stream, 'close');
      expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    } finally {
      clearInterval(endless);
    }
  });
});

describe('the stream of an unverified client [G4]', () => {
  it.each<[string, Record<string, string>, number, (served: Served) => void]>([
    ['that sends more than the guard drains', {}, 1_500_000, () => {}],
    [
      'that sends without waiting for 100 Continue',
      { expect: '100-continue' },
      1,
      ({ server }) => continueAfterVerification(server),
    ],
  ])('%s is destroyed after the refusal [G4]', async (_what, more, length, prepare) => {
    const parts = await guarded();
    await using served = await serve(parts);
    prepare(served);
    const arrived = once(served.server, 'stream');
    const stream = begin(served, unsigned({ method: 'POST', body: Buffer.alloc(length) }), more);
    stream.write(Buffer.alloc(length));
    const [ours] = (await arrived) as [ServerHttp2Stream];
    expect((await once(stream.resume(), 'response'))[0]).toMatchObject({ ':status': 401 });
    await vi.waitFor(() => expect(ours.destroyed).toBe(true), patiently);
  });

  it.each([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL])(
    'is destroyed and recorded when the client closes it with code %i before the guard runs [F5, G4]',
    async (code) => {
      const parts = await guarded();
      await using served = await serve(parts, count, {}, (ours) => once(ours, 'aborted'));
      const arrived = once(served.server, 'stream');
      const stream = begin(served, put());
      stream.write(body.subarray(0, 1000));
      const [ours] = (await arrived) as [ServerHttp2Stream];
      stream.close(code);
      await vi.waitFor(() => expect(parts.audit.records).toHaveLength(1), patiently);
      expect(parts.audit.records).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
      await vi.waitFor(() => expect(ours.destroyed).toBe(true), patiently);
    },
  );
});

const early: Handler = async (_request, response) => void response.end('early');
const readFirst: Handler = async (request, response) => {
  await once(request, 'data');
  response.end('early');
};
const stranger = () => unsigned({ method: 'PUT', body });
const streamBody = () => true;

describe('a connection whose client takes a request back without an error [G4]', () => {
  const ways: [string, () => RawRequest, Handler, AdmissionOptions][] = [
    ['a stranger', stranger, early, {}],
    ['a stranger whom the application answers', stranger, early, { onRefusal: 'throw' }],
    ['an agent whose body streams unread', put, early, { streamBody }],
    ['an agent whose body streams', put, readFirst, { streamBody }],
  ];
  it.each(ways)('is closed after the answer to %s [G4]', async (_whom, request, handle, options) => {
    const parts = await guarded();
    await using served = await serve(parts, handle, options);
    for (const [window, length] of [
      [0, 10],
      [0, 16_000],
      [65_535, 16_000],
    ] as const) {
      const socket = connectTls({ port: served.port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
      const client = new Http2Frames(socket, { window });
      client.begin(request(), 'https', body.subarray(0, length));
      await client.answered();
      client.resetAndLeave();
      await client.closed();
    }
    await parts.guard.close();
    const ofStranger = { phase: 'authentication', code: 'signature_required' };
    const ofAgent = { phase: 'outcome', outcome: { status: 200 } };
    expect(parts.audit.records).toMatchObject(Array(3).fill(request === stranger ? ofStranger : ofAgent));
  });
});

it('a connection whose client takes back a stream that nobody reads is closed after the time of bodies [G4]', async () => {
  const parts = await guarded({ bodyTimeoutSeconds: 1 });
  await using served = await serve(parts, early, { streamBody });
  const socket = connectTls({ port: served.port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  const client = new Http2Frames(socket, { window: 0 });
  client.begin(put(), 'https', body.subarray(0, 48_000));
  await client.answered();
  client.resetAndLeave();
  await client.closed();
  expect(await outcomeOf(parts)).toMatchObject({ status: 200, code: 'body_incomplete' });
});

describe('a request over HTTP/2 [F5]', () => {
  it('is refused when its stream has closed, and Node has not ended the request yet [G4]', async () => {
    const parts = await guarded();
    await using served = await serve(parts, count, {}, async (stream) => stream.close(constants.NGHTTP2_CANCEL));
    const stream = begin(served, unsigned({ method: 'POST', body }));
    stream.write('small');
    await once(stream, 'close');
    await vi.waitFor(() => expect(parts.audit.records).toHaveLength(1), patiently);
    expect(parts.audit.records).toMatchObject([{ phase: 'authentication', code: 'signature_required' }]);
  });

  it('is recorded as body_incomplete when the client resets it while its whole body is buffered [F5]', async () => {
    const parts = await guarded();
    const reset = new Deferred();
    const guard: Guard = {
      ...parts.guard,
      async authenticate(request) {
        await reset.promise;
        return await parts.guard.authenticate(request);
      },
    };
    await using served = await serve({ ...parts, guard });
    const arrived = once(served.server, 'stream');
    const stream = begin(served, signed({ method: 'POST', body: 'small' }));
    stream.end('small');
    const [ours] = (await arrived) as [ServerHttp2Stream];
    await vi.waitFor(() => expect(ours.readableLength).toBe(5), patiently);
    stream.close(constants.NGHTTP2_CANCEL);
    await vi.waitFor(() => expect(ours.closed).toBe(true), patiently);
    reset.resolve();
    await vi.waitFor(() => expect(parts.audit.records).toHaveLength(1), patiently);
    expect(parts.audit.records).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
  });
});

describe('a streamed body over HTTP/2', () => {
  const chosen: AdmissionOptions = { streamBody: () => true };

  it('is passed on while it arrives, and ends at its end', async () => {
    const parts = await guarded();
    const begun = new Deferred();
    await using served = await serve(
      parts,
      async (request, response) => {
        request.once('readable', begun.resolve);
        await count(request, response);
      },
      chosen,
    );
    const stream = begin(served, put());
    stream.write(body.subarray(0, 1000));
    await begun.promise;
    stream.end(body.subarray(1000));
    expect(await answer(stream)).toMatchObject({ status: 200, body: `${agentId}: 300000` });
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it('fails its handler when it was changed, and the outcome names the code [A4]', async () => {
    const parts = await guarded();
    await using served = await serve(parts, count, chosen);
    expect(await send(served, tampered(put(), { body: forged }))).toMatchObject({ status: 401 });
    expect(await outcomeOf(parts)).toEqual({
      result: 'finished',
      status: 401,
      code: 'digest_mismatch',
      undecided: true,
    });
    expect(await send(served, put())).toMatchObject({ status: 200 });
  });

  it('fails its handler when it is cut off [F5]', async () => {
    const parts = await guarded();
    const failed = new Deferred<unknown>();
    const begun = new Deferred();
    await using served = await serve(
      parts,
      async (request, response) => {
        request.once('readable', begun.resolve);
        await count(request, response).then(() => failed.resolve('ended'), failed.resolve);
      },
      chosen,
    );
    const stream = begin(served, put());
    stream.write(body.subarray(0, 1000));
    await begun.promise;
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await failed.promise).toBeInstanceOf(Error);
    expect(await outcomeOf(parts)).toEqual({ result: 'aborted', code: 'body_incomplete', undecided: true });
  });

  const lateReaders: [string, (request: IncomingMessage) => Promise<unknown>][] = [
    ['for await', async (request) => void (await request.toArray())],
    ['pipeline', (request) => pipeline(request, new PassThrough().resume())],
    ['a web stream', (request) => pipeline(Readable.toWeb(request), new PassThrough().resume())],
    [
      'data events and error',
      (request) =>
        once(
          request.on('data', () => {}),
          'end',
        ),
    ],
  ];
  const resets = [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR];
  it.each(lateReaders.flatMap(([name, read]) => resets.map((code) => [name, code, read] as const)))(
    'fails a handler that reads late, by %s, when the client has reset it with code %i [F5, G4]',
    async (_name, code, read) => {
      const parts = await guarded();
      const begun = new Deferred();
      const reset = new Deferred();
      const failed = new Deferred<unknown>();
      await using served = await serve(
        parts,
        async (request) => {
          begun.resolve();
          await reset.promise;
          await read(request).then(() => failed.resolve('ended'), failed.resolve);
        },
        chosen,
      );
      const arrived = once(served.server, 'stream');
      const stream = begin(served, put());
      stream.write(body.subarray(0, 100));
      await begun.promise;
      const [ours] = (await arrived) as [ServerHttp2Stream];
      stream.close(code);
      await vi.waitFor(() => expect(ours.destroyed).toBe(true), patiently);
      reset.resolve();
      expect(await failed.promise).toMatchObject({ code: 'body_incomplete' });
      expect(await outcomeOf(parts)).toEqual({ result: 'aborted', code: 'body_incomplete', undecided: true });
    },
  );

  it('fails a reader that goes on after the answer, because the rest is dropped [A4]', async () => {
    const parts = await guarded();
    const ended = new Deferred<unknown>();
    await using served = await serve(
      parts,
      async (request, response) => {
        response.end('early');
        await request.toArray().then(() => ended.resolve('ended'), ended.resolve);
      },
      chosen,
    );
    const stream = begin(served, put());
    stream.write(body.subarray(0, 1000));
    stream.once('response', () => stream.end(body.subarray(1000)));
    expect(await answer(stream)).toMatchObject({ status: 200, body: 'early' });
    expect(await ended.promise).toMatchObject({ code: 'body_incomplete' });
  });

  it('is recorded as incomplete when its handler leaves it unread', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => void response.end('early'), chosen);
    const stream = begin(served, put());
    stream.write(body.subarray(0, 1000));
    expect(await answer(stream)).toMatchObject({ status: 200, body: 'early' });
    expect(await outcomeOf(parts)).toEqual({
      result: 'finished',
      status: 200,
      code: 'body_incomplete',
      undecided: true,
    });
  });

  it.each<[string, string, (stream: ClientHttp2Stream, session: ClientHttp2Session) => void]>([
    // Not `stream.close()`: Node's client may end the body before it resets the stream.
    ['body_incomplete', 'ends the session', (_stream, session) => session.destroy()],
    ['digest_mismatch', 'ends a changed body', (stream) => stream.end(forged.subarray(1000))],
  ])('is recorded as %s when its client has the answer and %s [F5]', async (code, _how, leave) => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => void response.end('early'), chosen);
    const stream = begin(served, put());
    stream.write(body.subarray(0, 1000));
    await once(stream.resume(), 'response');
    await setImmediate();
    leave(stream, served.session);
    expect(await outcomeOf(parts)).toMatchObject({ result: 'finished', status: 200, code });
  });

  it('has an outcome each time that a client resets its stream without an error around the answer [F5]', async () => {
    const parts = await guarded();
    let handled = 0;
    const handle: Handler = async (_request, response) => {
      handled++;
      response.end('early');
    };
    await using served = await serve(parts, handle, chosen);
    const outcomes = () => parts.audit.records.filter(({ phase }) => phase === 'outcome');
    for (let round = 0; round < 40; round++) {
      const streams = Array.from({ length: 12 }, () => begin(served, put()));
      for (const stream of streams) stream.write(body.subarray(0, 300));
      for (const stream of streams) {
        await setImmediate();
        stream.close(constants.NGHTTP2_NO_ERROR);
      }
    }
    await send(served, signed({}));
    await vi.waitFor(() => expect(outcomes()).toHaveLength(handled), patiently);
  });

  it('does not delay the closing of the guard when it is left unread and is larger than the guard drains [F5]', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => void response.end('early'), chosen);
    const request = signed({ method: 'POST', body: Buffer.alloc(1_500_000) });
    const stream = begin(served, request);
    stream.end(request.body);
    expect(await answer(stream)).toMatchObject({ status: 200, body: 'early' });
    await parts.guard.close();
    expect(await outcomeOf(parts)).toMatchObject({ result: 'finished', status: 200, code: 'body_incomplete' });
  });
});

describe('the outcome of an exchange over HTTP/2 [F5]', () => {
  it.each(['HEAD', 'GET'])('is recorded for %s', async (method) => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => void response.writeHead(204).end());
    const stream = begin(served, signed({ method }));
    await once(stream.resume(), 'close');
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 204, undecided: true });
  });

  // Of a HEAD, Node finishes the stream as soon as it arrives.
  it.each(['HEAD', 'GET'])('does not come before the answer to %s', async (method) => {
    const parts = await guarded();
    const [arrived, going] = [new Deferred(), new Deferred()];
    await using served = await serve(parts, async (_request, response) => {
      arrived.resolve();
      await going.promise;
      response.writeHead(204).end();
    });
    const stream = begin(served, signed({ method }));
    await arrived.promise;
    for (let round = 0; round < 10; round++) await setImmediate();
    expect(outcomesOf(parts)).toEqual([]);
    going.resolve();
    await once(stream.resume(), 'close');
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 204, undecided: true });
  });

  it('is finished for a HEAD with a body', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => void response.writeHead(204).end());
    const request = signed({ method: 'HEAD', body: Buffer.alloc(1000) });
    const stream = begin(served, request);
    stream.end(request.body);
    await once(stream.resume(), 'close');
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 204, undecided: true });
  });

  it('has the status that was sent when the application changes it later', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => {
      response.write('half');
      response.statusCode = 500;
      response.end();
    });
    const stream = begin(served, signed({}));
    await once(stream.resume(), 'close');
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it.each(['HEAD', 'GET'])('is aborted when the client of a %s left before the response', async (method) => {
    const parts = await guarded();
    const arrived = new Deferred();
    await using served = await serve(parts, async () => arrived.resolve());
    const stream = begin(served, signed({ method }));
    await arrived.promise;
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await outcomeOf(parts)).toEqual({ result: 'aborted', undecided: true });
  });

  it('is aborted with a status when the client left in the middle of the response', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => void response.writeHead(200).write('half'));
    const stream = begin(served, signed({}));
    await once(stream, 'data');
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await outcomeOf(parts)).toEqual({ result: 'aborted', status: 200, undecided: true });
  });

  it('is timed_out for all requests on a silent connection that the server closed', async () => {
    const parts = await guarded({ onTrouble: () => {} });
    const arrived = new Deferred();
    let requests = 0;
    await using served = await serve(parts, async (request, response) => {
      requests += 1;
      if (request.url === '/answered') response.end();
      if (requests < 20) return;
      arrived.resolve();
      (request as unknown as Http2ServerRequest).stream.session?.setTimeout(20);
    });
    served.server.setTimeout(30_000);
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    await send(served, signed({ target: '/answered' }));
    const streams = Array.from({ length: 19 }, () => begin(served, signed({})));
    await arrived.promise;
    await Promise.all(streams.map((stream) => once(stream.resume(), 'close')));
    await vi.waitFor(() => expect(outcomesOf(parts)).toHaveLength(20), patiently);
    expect(outcomesOf(parts)).toEqual([
      { result: 'finished', status: 200, undecided: true },
      ...streams.map(() => ({ result: 'timed_out', undecided: true })),
    ]);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('is finished when the application answered after the timeout', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => {
      response.setTimeout(20, () => response.end('late'));
    });
    expect(await send(served, signed({}))).toMatchObject({ status: 200, body: 'late' });
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it('is timed_out when the application destroyed the response after a timeout', async () => {
    const parts = await guarded();
    await using served = await serve(parts, async (_request, response) => {
      response.setTimeout(20, () => response.destroy());
    });
    await once(begin(served, signed({})).resume(), 'close');
    expect(await outcomeOf(parts)).toEqual({ result: 'timed_out', undecided: true });
  });

  it('is replaced by a body_incomplete record when the client left during verification', async () => {
    const arrived = new Deferred();
    const gone = new Deferred();
    const parts = await guarded({
      replay: {
        async reserve() {
          arrived.resolve();
          await gone.promise;
          return 'reserved' as const;
        },
      },
    });
    let ran = 0;
    await using served = await serve(parts, async () => void ran++);
    const stream = begin(served, signed({}));
    await arrived.promise;
    stream.close(constants.NGHTTP2_CANCEL);
    await once(stream, 'close');
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    gone.resolve();
    while (parts.audit.records.length === 0) await setImmediate();
    expect(parts.audit.records).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
    expect(ran).toBe(0);
  });
});

describe('a server for HTTP/2', () => {
  it('guards HTTP/1 on the same port', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    const { method, target, fields } = put();
    const request = httpsRequest({
      port: served.port,
      method,
      path: target,
      headers: fields.flat(),
      rejectUnauthorized: false,
      agent: false,
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of response) text += String(part);
    expect([response.statusCode, text]).toEqual([200, `${agentId}: 300000`]);
  });

  it('answers Expect: 100-continue after the signature has verified', async () => {
    const parts = await guarded();
    await using served = await serve(parts);
    continueAfterVerification(served.server);
    const seen: string[] = [];
    for (const [name, request] of [
      ['signed', put()],
      ['not', unsigned({ method: 'PUT', body })],
    ] as const) {
      const stream = begin(served, request, { expect: '100-continue' });
      stream.on('continue', () => {
        seen.push(name);
        stream.end(body);
      });
      const { status } = await answer(stream);
      seen.push(String(status));
      stream.destroy();
    }
    expect(seen).toEqual(['signed', '200', '401']);
  });
});
