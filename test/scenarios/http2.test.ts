import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { constants, type Http2ServerRequest } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { received } from '../hosts/routes.js';
import { type Api, onEveryHost, onEverySetup, refuseEach } from '../support/api.js';
import type { RawResponse } from '../support/connection.js';
import { deferred } from '../support/deferred.js';
import { readHttp2 } from '../support/http2.js';
import { Http2Frames } from '../support/http2-frames.js';
import { patiently } from '../support/patiently.js';
import { type RawRequest, tampered, withFields } from '../support/signed-request.js';
import { reviewerId, runner, stranger, suspended, userId } from '../support/world.js';

const json = '{"title":"Fix the flaky test","draft":true}';
const large = randomBytes(700_000);
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex');
const plain = (api: Api): RawRequest => ({
  method: 'GET',
  target: api.at('/whoami'),
  fields: [['Host', api.authority]],
  body: Buffer.alloc(0),
});

/** Changes the last byte of the body in transit. */
function changed(request: RawRequest): RawRequest {
  const { body } = request;
  return tampered(request, { body: Buffer.concat([body.subarray(0, -1), Buffer.of((body.at(-1) ?? 0) ^ 1)]) });
}

onEverySetup(
  'Requests over HTTP/2',
  (api) => {
    it('are accepted from a signed agent, with and without a token [G3]', async () => {
      const { response } = await api.accepts(api.signed(), 200);
      expect(JSON.parse(response.body)).toMatchObject({ actor: { id: reviewerId }, subject: { id: reviewerId } });
      const { response: forUser } = await api.accepts(await api.pull({}, { body: json }), 201);
      const body = api.bodyParser === 'after' ? (JSON.parse(json) as object) : null;
      expect(JSON.parse(forUser.body)).toMatchObject({ subject: { id: userId }, body });
    });

    it('whose length no field says reach their handler with the body [H1]', async () => {
      const request = await api.pull({}, { body: json });
      const { response } = await api.accepts(tampered(request, { fields: { 'Content-Length': null } }), 201);
      const body = api.bodyParser === 'after' ? (JSON.parse(json) as object) : null;
      expect(JSON.parse(response.body)).toMatchObject({ body });
    });

    it.each<[string, number, () => RawRequest]>([
      ['DELETE', 204, () => api.signed({ key: runner, method: 'DELETE', target: '/records/7' })],
      ['a query', 200, () => api.signed({ target: '/invoices?month=2026-10&all=%20x' })],
    ])('%s [G3]', async (_title, status, request) => {
      await api.accepts(request(), status);
    });

    // Fastify itself answers methods that it does not know with 404.
    if (api.host !== 'fastify5') {
      refuseEach(api, [['a method in lower case [D7]', () => api.signed({ method: 'get' }), 400, 'request_malformed']]);
    }

    // Koa 2 does not answer HEAD over HTTP/2, even without a guard.
    if (api.host !== 'koa2') {
      it('HEAD [G3]', async () => {
        await api.accepts(api.signed({ method: 'HEAD' }), 200);
        await api.refuses({ ...plain(api), method: 'HEAD' }, 401, 'signature_required');
      });
    }

    it('are answered as usual without a guard, and without a route [G3]', async () => {
      expect((await api.send({ ...plain(api), target: api.at('/public') })).status).toBe(200);
      await api.answers(api.signed({ target: '/nowhere' }), 404);
    });

    it('are decided by policy [D14]', async () => {
      await api.denies(api.signed({ key: runner, target: '/invoices' }), 403, 'policy_denied');
      const { response } = await api.denies(await api.pull({ scope: 'repo:read' }), 403, 'policy_denied');
      expect(response.headers).not.toHaveProperty('connection');
    });

    refuseEach(api, [
      ['no signature [A17]', () => plain(api), 401, 'signature_required'],
      ['another method [A2]', () => tampered(api.signed(), { method: 'DELETE' }), 401, 'signature_invalid'],
      ['another path [A2]', () => tampered(api.signed(), { target: api.at('/invoices') }), 401, 'signature_invalid'],
      ['another :authority [A13]', () => api.signed({ host: 'evil.example' }), 401, 'origin_mismatch'],
      [
        'another :scheme, which an application can read [H1]',
        () => withFields(api.signed(), [':scheme', 'https']),
        401,
        'origin_mismatch',
      ],
      [
        'another Host beside :authority [A13]',
        () => withFields(api.signed(), ['host', 'evil.example']),
        400,
        'request_malformed',
      ],
      ['an old signature [A9]', () => api.signed({ now: 1_700_000_000 }), 401, 'signature_expired'],
      ['an unknown key [A11]', () => api.signed({ key: stranger }), 401, 'key_unknown'],
      ['a suspended agent [C7]', () => api.signed({ key: suspended }), 401, 'agent_suspended'],
      [
        'a credential that is not covered [A18]',
        () => withFields(api.signed(), ['Authorization', 'Bearer x']),
        401,
        'credential_uncovered',
      ],
    ]);

    it('are accepted once, also in concurrent streams of one connection [A10]', async () => {
      const request = api.signed();
      await api.recordedOutcomes(1, async () => {
        const connection = await api.connectHttp2();
        const answers = await Promise.all(Array.from({ length: 10 }, () => connection.send(request)));
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
        const refused = answers.filter(({ status }) => status === 401).map(({ body }) => JSON.parse(body) as object);
        expect(refused).toEqual(
          Array.from({ length: 9 }, () => expect.objectContaining({ code: 'signature_replayed' })),
        );
        connection.destroy();
      });
    });
  },
  { start: { http2: true } },
);

onEveryHost(
  'Bodies over HTTP/2',
  (api) => {
    const put = (body: string | Buffer) => api.signed({ method: 'PUT', target: '/upload', body });

    it.each([
      ['held in memory', Buffer.from('small')],
      ['held in a file', large],
      ['empty', Buffer.alloc(0)],
    ])('%s reach their handler complete [A4]', async (_how, body) => {
      const { response } = await api.accepts(put(body), 200);
      expect(JSON.parse(response.body)).toEqual({ bytes: body.length, sha256: sha256(body) });
    });

    it('reach their reader whole when they have no stated length and come frame by frame [A5]', async () => {
      const request = tampered(put(json), { fields: { 'Content-Length': null } });
      await api.recordedOutcomes(1, async () => {
        const connection = await api.connectHttp2();
        const stream = connection.begin(request);
        for (const byte of request.body) stream.write(Buffer.of(byte));
        stream.end();
        expect(JSON.parse((await readHttp2(stream)).body)).toMatchObject({ bytes: json.length });
        connection.destroy();
      });
    });

    refuseEach(api, [
      ['a changed byte in a body in memory [A4]', () => changed(put('small')), 401, 'digest_mismatch'],
      ['a changed byte in a body in a file [A4]', () => changed(put(large)), 401, 'digest_mismatch'],
      ['no digest [A4]', async () => await api.pull({}, { digest: null }), 401, 'digest_required'],
      ['a body added to a GET [A4]', () => ({ ...api.signed(), body: Buffer.from('x') }), 401, 'digest_required'],
      ['a body larger than allowed [G4]', () => put(Buffer.alloc(1_000_001)), 413, 'body_too_large'],
      [
        'a body larger than allowed without Content-Length [G4]',
        () => tampered(put(Buffer.alloc(1_000_001)), { fields: { 'Content-Length': null } }),
        413,
        'body_too_large',
      ],
    ]);
  },
  { start: { http2: true, guard: { memoryBodyBytes: 65_536, maxBodyBytes: 1_000_000 } } },
);

onEveryHost(
  'Concurrent streams on one HTTP/2 connection',
  (api) => {
    const put = (body: string | Buffer) => api.signed({ method: 'PUT', target: '/upload', body });

    it('are accepted or refused independently of each other [A4]', async () => {
      const requests = Array.from({ length: 30 }, (_, at) => (at % 3 === 0 ? changed(put('some')) : put('some')));
      await api.recordedOutcomes(20, async () => {
        const connection = await api.connectHttp2();
        const answers = await Promise.all(requests.map((request) => connection.send(request)));
        expect(answers.map(({ status }) => status)).toEqual(requests.map((_, at) => (at % 3 === 0 ? 401 : 200)));
        connection.destroy();
      });
    });

    it('leave the connection reusable after an upload is refused early [G4]', async () => {
      await api.recordedOutcomes(1, async () => {
        const connection = await api.connectHttp2();
        const refused = connection.begin(tampered(put(large), { fields: { 'Content-Digest': 'sha-256=:AA==:' } }));
        refused.write(large.subarray(0, 100_000));
        expect((await readHttp2(refused)).status).toBe(401);
        expect((await connection.send(put(Buffer.alloc(1_000_001)))).status).toBe(413);
        const { status, body } = await connection.send(put(large));
        expect([status, JSON.parse(body)]).toEqual([200, { bytes: large.length, sha256: sha256(large) }]);
        connection.destroy();
      });
    });

    it('leave no connection open when a stranger takes a refused request back without an error [G4]', async () => {
      const before = api.records.length;
      const request = { ...plain(api), method: 'PUT', target: api.at('/upload') };
      for (const window of [0, 65_535]) {
        const { hostname, port } = new URL(api.url);
        const client = new Http2Frames(connect(Number(port), hostname), { window });
        client.begin(request, 'http', large.subarray(0, 10));
        await client.answered();
        client.resetAndLeave();
        await client.closed();
      }
      expect(api.records.slice(before).map(({ code }) => code)).toEqual(['signature_required', 'signature_required']);
    });

    it.each([
      ['memory', 10_000],
      ['a file', 200_000],
    ])('one record and no handler when the client cancels an upload held in %s [F5]', async (_where, length) => {
      const before = api.records.length;
      const handledBefore = api.running.handled.length;
      const connection = await api.connectHttp2();
      const stream = connection.begin(put(large));
      await new Promise<void>((resolve) => stream.write(large.subarray(0, length), () => resolve()));
      stream.close(constants.NGHTTP2_CANCEL);
      await vi.waitFor(() => expect(api.records.slice(before)).toHaveLength(1), patiently);
      expect(api.records.slice(before)).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
      expect(api.running.handled).toHaveLength(handledBefore);
      await api.recordedOutcomes(1, async () => expect((await connection.send(api.signed())).status).toBe(200));
      connection.destroy();
    });

    it.each(['HEAD', 'GET'])(
      'record aborted when the client of a %s disconnects before the answer [F5]',
      async (method) => {
        const before = api.records.length;
        const small = await api.variant({
          start: {
            http2: true,
            onHandled: async () => {
              stream.close(constants.NGHTTP2_CANCEL);
              await once(stream, 'close');
            },
          },
        });
        const connection = await small.connectHttp2();
        const stream = connection.begin(small.signed({ method, target: '/invoices' }), { ended: true });
        await vi.waitFor(() => expect(small.records.at(-1)).toMatchObject({ phase: 'outcome' }), patiently);
        expect(small.records.at(-1)).toMatchObject({ outcome: { result: 'aborted' } });
        expect(api.records).toHaveLength(before);
        connection.destroy();
      },
    );

    it('answer Expect: 100-continue after the signature has verified, and never for an unverified client [G4]', async () => {
      const request = api.signed({
        method: 'PUT',
        target: '/upload',
        body: 'small',
        fields: [['Expect', '100-continue']],
      });
      const continued: string[] = [];
      await api.recordedOutcomes(1, async () => {
        const connection = await api.connectHttp2();
        for (const [who, sent] of [
          ['unverified', tampered(request, { method: 'POST' })],
          ['agent', request],
        ] as const) {
          const stream = connection.begin(sent);
          stream.once('continue', () => {
            continued.push(who);
            stream.end(sent.body);
          });
          expect((await readHttp2(stream)).status).toBe(who === 'agent' ? 200 : 401);
          stream.close();
        }
        connection.destroy();
      });
      expect(continued).toEqual(['agent']);
    });

    it('an unverified client that sends more than is drained leaves no stream behind [G4]', async () => {
      const closing = await api.variant({ start: { http2: true } });
      const connection = await closing.connectHttp2();
      const stream = connection.begin({ ...plain(closing), method: 'PUT', target: closing.at('/upload') });
      stream.end(Buffer.alloc(1_500_000));
      expect((await readHttp2(stream)).status).toBe(401);
      // Resolves once every stream has closed.
      await closing.stop();
      connection.destroy();
    });

    it('leave no spool file behind [A4]', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'countersign-spool-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const guard = { memoryBodyBytes: 65_536, spoolDirectory: folder };
      const spooling = await api.variant({ start: { http2: true, guard } });
      const upload = () => spooling.signed({ method: 'PUT', target: '/upload', body: large });
      await spooling.accepts(upload(), 200);
      await spooling.refuses(changed(upload()), 401, 'digest_mismatch');
      expect(readdirSync(folder)).toEqual([]);
    });
  },
  { start: { http2: true, guard: { memoryBodyBytes: 65_536, maxBodyBytes: 1_000_000 } } },
);

onEveryHost(
  'Bodies streamed over HTTP/2',
  (api) => {
    const put = (body: Buffer) => api.signed({ method: 'PUT', target: '/upload', body });

    it.each([
      ['one frame', Buffer.from('small')],
      ['many', large],
    ])('of %s reach their handler complete [A4]', async (_how, body) => {
      const { response } = await api.accepts(put(body), 200);
      expect(JSON.parse(response.body)).toEqual({ bytes: body.length, sha256: sha256(body) });
    });

    it('that their handler does not read get their outcome, and the guard closes [F5]', async () => {
      const start = { http2: true, admission: { streamBody: () => true } };
      const deaf = await api.variant({ config: { bodyParser: 'none' }, start });
      const body = Buffer.alloc(1_500_000);
      const connection = await deaf.connectHttp2();
      const stream = connection.begin(deaf.signed({ method: 'POST', target: '/repos/acme/api/merge', body }));
      stream.end(body);
      expect((await readHttp2(stream)).status).toBe(200);
      await vi.waitFor(() => expect(deaf.records.at(-1)).toMatchObject({ phase: 'outcome' }), patiently);
      expect(deaf.records.at(-1)).toMatchObject({ outcome: { code: 'body_incomplete' } });
      await deaf.stop();
      connection.destroy();
    });

    it('fail a handler that reads only after their client has reset them [F5, G4]', async () => {
      const requests: IncomingMessage[] = [];
      const streamBody = (request: IncomingMessage) => requests.push(request) > 0;
      const reset = deferred();
      const ends: unknown[] = [];
      const onHandled = async () => {
        await reset.promise;
        ends.push(await received(requests[0] as IncomingMessage).catch((error: unknown) => error));
      };
      const late = await api.variant({ start: { http2: true, admission: { streamBody }, onHandled } });
      const connection = await late.connectHttp2();
      const stream = connection.begin(late.signed({ method: 'PUT', target: '/upload', body: large }));
      stream.write(large.subarray(0, 100));
      await vi.waitFor(() => expect(late.running.handled).toHaveLength(1), patiently);
      stream.close(constants.NGHTTP2_CANCEL);
      await vi.waitFor(() => expect(late.records.at(-1)).toMatchObject({ phase: 'outcome' }), patiently);
      reset.resolve();
      await vi.waitFor(() => expect(ends).toMatchObject([{ code: 'body_incomplete' }]), patiently);
      expect(late.records.at(-1)).toMatchObject({ outcome: { result: 'aborted', code: 'body_incomplete' } });
      connection.destroy();
    });

    it('leave no connection open when their client takes them back without an error [F5, G4]', async () => {
      const start = { http2: true, admission: { streamBody: () => true } };
      const deaf = await api.variant({ config: { bodyParser: 'none' }, start });
      const request = deaf.signed({ method: 'POST', target: '/repos/acme/api/merge', body: large });
      const { hostname, port } = new URL(deaf.url);
      const client = new Http2Frames(connect(Number(port), hostname), { window: 0 });
      client.begin(request, 'http', large.subarray(0, 1000));
      await client.answered();
      client.resetAndLeave();
      await client.closed();
      await vi.waitFor(() => expect(deaf.records.at(-1)).toMatchObject({ phase: 'outcome' }), patiently);
      expect(deaf.records.at(-1)).toMatchObject({
        outcome: { result: 'aborted', status: 200 },
      });
    });

    it('fail their reader when they were changed in transit, and the outcome records it [A4]', async () => {
      await api.recordedOutcomes(2, async () => {
        const connection = await api.connectHttp2();
        expect((await connection.send(changed(put(large)))).status).toBe(401);
        await vi.waitFor(() => expect(api.records.at(-1)).toMatchObject({ phase: 'outcome' }), patiently);
        expect(api.records.at(-1)).toMatchObject({ outcome: { code: 'digest_mismatch' } });
        expect((await connection.send(put(large))).status).toBe(200);
        connection.destroy();
      });
    });
  },
  { start: { http2: true, admission: { streamBody: () => true } } },
);

/** Until Node has read a request that ended without a byte: nothing else is delivered before somebody reads. */
async function untilEnded(request: IncomingMessage): Promise<void> {
  const { stream } = request as unknown as Http2ServerRequest;
  while (!stream.readableEnded && !stream.destroyed) await setImmediate();
}

describe.each([
  ['held', false],
  ['streamed', true],
])('Bodies that end without a byte, while a middleware waits before the guard, %s', (_how, isStreamed) => {
  onEveryHost(
    'over HTTP/2',
    (api) => {
      async function endedAlone({ fields, ...request }: RawRequest): Promise<RawResponse> {
        const connection = await api.connectHttp2();
        // HTTP/2 refuses a length that is not that of the body.
        const stream = connection.begin({ ...request, fields: fields.filter(([name]) => name !== 'Content-Length') });
        stream.end();
        const response = await readHttp2(stream);
        connection.destroy();
        return response;
      }

      it('are refused if another body was signed [A4, H6]', async () => {
        const before = api.running.handled.length;
        const response = await endedAlone(api.signed({ method: 'PUT', target: '/upload', body: 'a signed video' }));
        expect(response).toMatchObject({ status: 401 });
        expect(JSON.parse(response.body)).toMatchObject({ code: 'digest_mismatch' });
        expect(api.running.handled).toHaveLength(before);
        expect(api.records.at(-1)).toMatchObject({ decision: 'deny', code: 'digest_mismatch' });
      });

      it('are accepted at once if none was signed', async () => {
        const response = await endedAlone(api.signed({ method: 'PUT', target: '/upload' }));
        expect(response.status).toBe(200);
        expect(JSON.parse(response.body)).toMatchObject({ bytes: 0 });
      });
    },
    { start: { http2: true, before: untilEnded, ...(isStreamed && { admission: { streamBody: () => true } }) } },
  );
});

const origin = 'https://api.acme.dev';
onEveryHost(
  'A refusal over HTTP/2',
  (api) => {
    it.each<[string, () => RawRequest]>([
      ['signature_required', () => ({ ...plain(api), fields: [['Host', 'api.acme.dev']] })],
      ['signature_invalid', () => api.signed({ host: 'api.acme.dev', sign: () => Buffer.alloc(64) })],
      ['policy_denied', () => api.signed({ host: 'api.acme.dev', key: runner, target: '/invoices' })],
      [
        'digest_mismatch',
        () => changed(api.signed({ host: 'api.acme.dev', method: 'PUT', target: '/upload', body: 'x' })),
      ],
    ])('is the same as over HTTP/1: %s', async (code, request) => {
      const overHttp1 = await api.variant({ config: { origin } });
      const sent = request();
      const [one, two] = [await overHttp1.send(sent), await api.send(sent)];
      const ours = ({ status, body, headers }: typeof one) => {
        const { date: _date, connection: _connection, 'keep-alive': _keepAlive, ...rest } = headers;
        return { status, body, headers: rest };
      };
      expect(JSON.parse(one.body)).toMatchObject({ code });
      expect(ours(two)).toEqual(ours(one));
    });
  },
  { config: { origin }, start: { http2: true } },
);
