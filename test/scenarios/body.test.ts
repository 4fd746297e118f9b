import { gunzipSync, gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { memoryAudit, type PolicyEngine } from '@countersign/core';
import { expect, it, vi } from 'vitest';
import { type Api, onEveryHost, onEverySetup, refuseEach } from '../support/api.js';
import { deferred } from '../support/deferred.js';
import { patiently } from '../support/patiently.js';
import {
  serialized,
  type SignedRequestOptions,
  sha256Digest,
  tampered,
  withFields,
} from '../support/signed-request.js';
import { stranger, userId } from '../support/world.js';

const body = '{"title":"Fix the flaky test","draft":true}';
const sha512 = (text: string) => `sha-512=:${createHash('sha512').update(text).digest('base64')}:`;
const other = '{"title":"Fix the flaky test","draft":false}';

onEverySetup('A body is what was signed', (api) => {
  const post = (options: Partial<SignedRequestOptions> = {}) => api.pull({}, { body, ...options });

  refuseEach(api, [
    [
      'a changed body with its old digest [A4]',
      async () => tampered(await post(), { body: Buffer.from(other.padEnd(body.length).slice(0, body.length)) }),
      401,
      'digest_mismatch',
    ],
    [
      'a changed body with a new digest [A4]',
      async () =>
        tampered(await post(), {
          body: Buffer.from(other),
          fields: { 'Content-Digest': sha256Digest(other), 'Content-Length': String(other.length) },
        }),
      401,
      'signature_invalid',
    ],
    ['an uncovered digest [A4]', () => post({ uncovered: ['"content-digest"'] }), 401, 'digest_required'],
    [
      'a digest of which only one member is covered [A4]',
      () => post({ uncovered: ['"content-digest"'], alsoCovered: ['"content-digest";key="sha-256"'] }),
      401,
      'digest_required',
    ],
    ['no digest [A4]', () => post({ digest: null }), 401, 'digest_required'],
    ['an uncovered content type [A4]', () => post({ uncovered: ['"content-type"'] }), 401, 'signature_incomplete'],
    [
      'a changed content type [A4]',
      async () => tampered(await post(), { fields: { 'Content-Type': 'text/plain' } }),
      401,
      'signature_invalid',
    ],
    ['only an md5 digest [A4]', () => post({ digest: 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:' }), 400, 'digest_malformed'],
    ['only a SHA-1 digest [A4]', () => post({ digest: 'sha=:2jmj7l5rSw0yVb/vlWAYkK/YBwk=:' }), 400, 'digest_malformed'],
    [
      'two digests, the first wrong [A4]',
      () => post({ digest: `${sha256Digest(body)}, ${sha512(other)}` }),
      401,
      'digest_mismatch',
    ],
    [
      'two digests, the second wrong [A4]',
      () => post({ digest: `${sha256Digest(other)}, ${sha512(body)}` }),
      401,
      'digest_mismatch',
    ],
    [
      'one digest algorithm twice [A4]',
      () => post({ digest: `${sha256Digest(other)}, ${sha256Digest(body)}` }),
      400,
      'digest_malformed',
    ],
    [
      'a digest in base64url [A4]',
      () => post({ digest: 'sha-256=:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=:' }),
      400,
      'digest_malformed',
    ],
    ['a truncated digest [A4]', () => post({ digest: 'sha-256=:47DEQpj8HBSa:' }), 400, 'digest_malformed'],
    [
      'a digest as a string [A4]',
      () => post({ digest: 'sha-256="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="' }),
      400,
      'digest_malformed',
    ],
    ['an empty digest field [A4]', () => post({ digest: '' }), 400, 'digest_malformed'],
    ['the digest of an empty body, with a body [A4]', () => post({ digest: sha256Digest('') }), 401, 'digest_mismatch'],
    [
      'the digest of a body, without a body [A4]',
      () => api.signed({ digest: sha256Digest(body) }),
      401,
      'digest_mismatch',
    ],
    [
      'a body on a GET [A4]',
      () => api.signed({ target: '/invoices', body, digest: null, contentType: null }),
      401,
      'digest_required',
    ],
    [
      'a body added to a signed GET [A4]',
      () =>
        tampered(api.signed({ target: '/invoices' }), {
          body: Buffer.from(body),
          fields: { 'Content-Length': String(body.length) },
        }),
      401,
      'digest_required',
    ],
    ['a chunked body without digest [A5]', () => chunked(post, { digest: null }), 401, 'digest_required'],
    ['changed chunks [A5]', async () => tampered(await chunked(post), { body: chunks(other) }), 401, 'digest_mismatch'],
    [
      'an added chunk [A5]',
      async () => tampered(await chunked(post), { body: chunks(body, ' ') }),
      401,
      'digest_mismatch',
    ],
    [
      'a digest in the trailer [A5]',
      async () =>
        tampered(await chunked(post, { digest: null }), {
          body: chunks(body, undefined, `Content-Digest: ${sha256Digest(body)}\r\n`),
        }),
      401,
      'digest_required',
    ],
    [
      'a gzipped body with the digest of the inflated bytes [A5]',
      () => post({ body: gzipSync(body), digest: sha256Digest(body), fields: [['Content-Encoding', 'gzip']] }),
      401,
      'digest_mismatch',
    ],
  ]);

  it('a gzipped body, digested gzipped, reaches the parser inflated [A5]', async () => {
    const zipped = gzipSync(body);
    expect(gunzipSync(zipped).toString()).toBe(body);
    const { response } = await api.accepts(await post({ body: zipped, fields: [['Content-Encoding', 'gzip']] }), 201);
    const parsed = api.bodyParser === 'after' ? (JSON.parse(body) as object) : null;
    expect(JSON.parse(response.body)).toMatchObject({ body: parsed });
  });

  it('trailers after a chunked body have no effect, also with credentials [A5]', async () => {
    const request = await chunked(post);
    const trailer = `X-Checked: yes\r\nAuthorization: Bearer ${await api.token({ sub: 'user_456' })}\r\n`;
    const { response } = await api.accepts({ ...request, body: chunks(body, undefined, trailer) }, 201);
    expect(JSON.parse(response.body)).toMatchObject({ subject: { id: userId } });
  });

  it.each([
    ['no length', []],
    ['length 0', [['Content-Length', '0']]],
  ] as const)('an empty body with %s needs no digest [A4]', async (_title, fields) => {
    const { response } = await api.accepts(api.signed({ method: 'PUT', target: '/upload', fields }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ bytes: 0 });
  });

  it('an empty chunked body [A5]', async () => {
    const fields = [['Transfer-Encoding', 'chunked']] as const;
    const request = api.signed({ method: 'PUT', target: '/upload', fields, digest: sha256Digest('') });
    const { response } = await api.accepts({ ...request, body: Buffer.from('0\r\n\r\n') }, 200);
    expect(JSON.parse(response.body)).toMatchObject({ bytes: 0 });
  });

  it('bytes that are not UTF-8 are digested as bytes [A5]', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]);
    const { response } = await api.accepts(api.signed({ method: 'PUT', target: '/upload', body: bytes }), 200);
    expect(JSON.parse(response.body)).toMatchObject({
      bytes: 5,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
  });

  it('white space and order of members are digested unchanged [A5]', async () => {
    await api.refuses(await post({ body: '{ "a": 1 }', digest: sha256Digest('{"a":1}') }), 401, 'digest_mismatch');
  });

  it('invalid JSON gets the 400 of the application after verification [A5]', async () => {
    const broken = await post({ body: '{"title":' });
    if (api.bodyParser === 'none') return void (await api.accepts(broken, 201));
    const { records } = await api.answers(broken, 400);
    // A parser that answers is no handler that failed.
    expect(records.at(-1)?.outcome).toMatchObject({ result: 'finished', status: 400 });
    // Bare node:http asks policy first, and then parses.
    expect(records.map(({ phase }) => phase)).toEqual(api.host === 'node-http' ? ['decision', 'outcome'] : ['outcome']);
  });

  it('two different lengths never get past the HTTP parser [A5]', async () => {
    const handledBefore = api.running.handled.length;
    const response = await api.send(withFields(await post(), ['Content-Length', '5']));
    expect(response.status).toBe(400);
    expect(api.running.handled).toHaveLength(handledBefore);
  });
});

type Post = (
  options: Partial<SignedRequestOptions>,
) => ReturnType<typeof tampered> | Promise<ReturnType<typeof tampered>>;

/** The same body in chunks; the digest is over their content. */
async function chunked(post: Post, options: Partial<SignedRequestOptions> = {}): Promise<ReturnType<typeof tampered>> {
  const request = await post({ ...options, fields: [['Transfer-Encoding', 'chunked']] });
  return { ...request, body: chunks(body) };
}

function chunks(first: string, second?: string, trailer = ''): Buffer {
  const parts = [first, ...(second === undefined ? [] : [second])];
  return Buffer.from(
    `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n${trailer}\r\n`,
  );
}

onEverySetup(
  'Limits on bodies',
  (api) => {
    it('a body longer than allowed [G4]', async () => {
      await api.refuses(await api.pull({}, { body: 'x'.repeat(5000) }), 413, 'body_too_large');
    });

    it('a chunked body longer than allowed [G4]', async () => {
      const request = await api.pull({}, { body: 'x'.repeat(5000), fields: [['Transfer-Encoding', 'chunked']] });
      await api.refuses({ ...request, body: chunks('x'.repeat(2500), 'x'.repeat(2500)) }, 413, 'body_too_large');
    });

    it('a body of just the length allowed [G4]', async () => {
      await api.accepts(api.signed({ method: 'PUT', target: '/upload', body: 'x'.repeat(4096) }), 200);
    });

    it('a huge announced length is refused before a byte is sent [G4]', async () => {
      const request = await api.pull({}, { body, fields: [['Content-Length', '99999999999']] });
      await api.refuses({ ...request, body: Buffer.alloc(0) }, 413, 'body_too_large');
    });

    it('Expect: 100-continue is answered, and the body then read [G4]', async () => {
      await api.recordedOutcomes(1, async () => {
        const request = await api.pull({}, { body, fields: [['Expect', '100-continue']] });
        const connection = await api.connect();
        connection.write(serialized({ ...request, body: Buffer.alloc(0) }));
        expect(await connection.nextLine()).toBe('HTTP/1.1 100 Continue');
        connection.write(body);
        expect((await connection.read()).status).toBe(201);
        connection.destroy();
      });
    });

    it('Expect: 100-continue without a valid signature is refused without a 100 [G4]', async () => {
      const request = await api.pull({}, { body, fields: [['Expect', '100-continue']], sign: () => Buffer.alloc(64) });
      const connection = await api.connect();
      connection.write(serialized({ ...request, body: Buffer.alloc(0) }));
      expect(await connection.nextLine()).toBe('HTTP/1.1 401 Unauthorized');
      connection.destroy();
    });

    it('a connection is closed or reusable after a refusal [G4]', async () => {
      const connection = await api.connect();
      connection.write(serialized(await api.pull({}, { body: 'x'.repeat(5000) })));
      const refused = await connection.read();
      expect(refused.status).toBe(413);
      if (refused.headers['connection'] === 'close') await connection.closed();
      else {
        await api.recordedOutcomes(1, async () => {
          connection.write(serialized(api.signed()));
          expect((await connection.read()).status).toBe(200);
        });
      }
      connection.destroy();
    });

    it('a request has one record and no handler run when its client disconnects within the body [G4]', async () => {
      const before = api.records.length;
      const handledBefore = api.running.handled.length;
      const connection = await api.connect();
      const request = serialized(await api.pull({}, { body }));
      connection.write(request.subarray(0, -5));
      connection.destroy();
      await vi.waitFor(() => expect(api.records.slice(before)).toHaveLength(1), patiently);
      expect(api.records.slice(before)).toMatchObject([{ phase: 'authentication', code: 'body_incomplete' }]);
      expect(api.running.handled).toHaveLength(handledBefore);
    });
  },
  { start: { guard: { maxBodyBytes: 4096 } } },
);

onEveryHost('A body that is still coming', (api) => {
  it.each([
    ['a refusal', 'POST', '/repos/acme/api/pulls', 401],
    ['the discovery document', 'GET', '/.well-known/countersign', 200],
  ])(
    'is answered by %s, which says that the connection closes, and arrives whole [G4]',
    async (_what, method, target, status) => {
      const request = await api.pull({}, { body: 'x'.repeat(4000), sign: () => Buffer.alloc(64) });
      const connection = await api.connect();
      connection.write(serialized({ ...request, method, target }).subarray(0, -5));
      const answer = await connection.read();
      expect([answer.status, answer.headers['connection']]).toEqual([status, 'close']);
      expect(JSON.parse(answer.body)).toBeInstanceOf(Object);
      connection.destroy();
    },
  );
});

onEveryHost('A body that came with its head', (api) => {
  it.each([
    ['a known', (of: Api) => of.signed({ method: 'PUT', body, sign: () => Buffer.alloc(64) })],
    ['an unknown', (of: Api) => of.signed({ method: 'PUT', body, key: stranger })],
  ])('is refused alike for %s key: the connection stays [I5]', async (_whose, request) => {
    // A file would take long enough for the body to come.
    const atOnce = await api.variant({ start: { guard: { audit: memoryAudit() } } });
    const connection = await atOnce.connect();
    connection.write(serialized(request(atOnce)));
    const answer = await connection.read();
    expect([JSON.parse(answer.body), answer.headers['connection']]).toMatchObject([
      { code: 'signature_invalid' },
      'keep-alive',
    ]);
    connection.destroy();
  });
});

onEveryHost('A body whose client has closed its side while policy decides', (api) => {
  it('reaches no handler, since a parser may skip it then [A4]', async () => {
    const closed = deferred();
    const policy: PolicyEngine = {
      scopeVocabulary: [],
      async decide() {
        await closed.promise;
        return { decision: 'allow', cause: 'policy', policies: [], policySet: 'test', errors: [] };
      },
    };
    const waiting = await api.variant({
      start: {
        answersHalfClosed: true,
        guard: { policy },
        wrapGuard: (guard) => ({
          ...guard,
          authenticate(request) {
            (request.connection as Socket).once('end', closed.resolve);
            return guard.authenticate(request);
          },
        }),
      },
    });
    const connection = await waiting.connect();
    connection.write(serialized(await waiting.pull({}, { body })));
    connection.end();
    const { status, body: answer } = await connection.read();
    expect([status, JSON.parse(answer)]).toMatchObject([400, { code: 'body_incomplete' }]);
    expect(waiting.running.handled).toEqual([]);
  });
});

onEveryHost(
  'Limits on the time of bodies',
  (api) => {
    it('a body that does not arrive in time [G4]', async () => {
      const request = serialized(await api.pull({}, { body }));
      await api.refuses(request.subarray(0, -5), 408, 'body_timeout');
    });
  },
  { start: { guard: { bodyTimeoutSeconds: 1 } } },
);
