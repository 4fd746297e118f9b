import { gzipSync } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { type Api, onEveryHost, onEverySetup, refuseEach } from '../support/api.js';
import { refusedByServer, refuseEachDropped, serverDropsFields } from '../support/dropped-fields.js';
import { patiently } from '../support/patiently.js';
import { type Field, type RawRequest, tampered, withFields } from '../support/signed-request.js';

const body = '{"title":"Fix the flaky test","draft":true}';
const upload = Buffer.from(body);
const condition = 'Sat, 29 Oct 1994 19:43:31 GMT';

const fillers = (count: number): Field[] => Array.from({ length: count }, () => ['a', '']);
/** As an intermediary sends it: the signed lines unchanged, and others before them. */
const behind = (count: number, request: RawRequest): RawRequest => ({
  ...request,
  fields: [...fillers(count), ...request.fields],
});

/** The lines of this name moved to the end of the section, behind as many fillers as make `count` lines before them. */
function movedBehind(count: number, request: RawRequest, name: string): RawRequest {
  const isMoved = ([field]: Field) => field.toLowerCase() === name;
  const rest = request.fields.filter((field) => !isMoved(field));
  const moved = request.fields.filter(isMoved);
  return { ...request, fields: [...rest, ...fillers(count - rest.length), ...moved] };
}

const uploadOf = (api: Api, fields: readonly Field[] = []): RawRequest =>
  api.signed({ method: 'PUT', target: '/upload', body, fields, alsoCovered: fields.map(([name]) => `"${name}"`) });

onEverySetup('Fields that the server drops', (api) => {
  refuseEachDropped(api, [
    [
      'a signature and its covered fields after 995 other lines [H1]',
      () => behind(995, uploadOf(api, [['x-dry-run', 'true']])),
      431,
      'fields_too_large',
    ],
  ]);
  refuseEach(api, [
    ['a signature without a body after 995 other lines [H1]', () => behind(995, api.signed()), 431, 'fields_too_large'],
    [
      'a signature and a token after 990 other lines [H1]',
      async () => behind(990, await api.pull({}, { body })),
      431,
      'fields_too_large',
    ],
    [
      'more lines than the guard reads, none of them dropped [H1]',
      () => behind(257, api.signed()),
      431,
      'fields_too_large',
    ],
  ]);

  it('many lines are accepted when none is dropped [H1]', async () => {
    await api.accepts(behind(200, api.signed()), 200);
  });
});

onEverySetup(
  'Fields that a server with a lowered limit drops',
  (api) => {
    refuseEachDropped(api, [
      [
        'a signature after 48 other lines [H1]',
        () => behind(48, api.signed({ target: '/invoices' })),
        431,
        'fields_too_large',
      ],
      [
        'a signed field [H1]',
        () => movedBehind(50, uploadOf(api, [['x-dry-run', 'true']]), 'x-dry-run'),
        431,
        'fields_too_large',
      ],
      ['a Content-Type [H1]', () => movedBehind(50, uploadOf(api), 'content-type'), 431, 'fields_too_large'],
      [
        'a token [H1]',
        async () => movedBehind(50, await api.pull({}, { body }), 'authorization'),
        431,
        'fields_too_large',
      ],
      ['a Content-Length [H1]', () => movedBehind(50, uploadOf(api), 'content-length'), 431, 'fields_too_large'],
      [
        'the second line of a signed list [H1]',
        () => {
          const list: Field[] = [
            ['x-list', 'a'],
            ['x-list', 'b'],
          ];
          const { fields, ...request } = api.signed({ fields: list, alsoCovered: ['"x-list"'] });
          const [host, first, second, ...rest] = fields as [Field, Field, Field, ...Field[]];
          return { ...request, fields: [host, first, ...rest, ...fillers(50), second] };
        },
        400,
        'request_malformed',
      ],
    ]);

    it('a dropped unsigned field has no effect [H1]', async () => {
      const request = movedBehind(50, withFields(api.signed(), ['x-unsigned', '1']), 'x-unsigned');
      await (serverDropsFields ? api.accepts(request, 200) : refusedByServer(api, request));
    });
  },
  { start: { maxHeadersCount: 50 } },
);

onEveryHost(
  'A body whose Content-Length line is dropped',
  (api) => {
    // Node passes 64 lines in two batches of 32, so that neither view has the line after them.
    refuseEachDropped(api, [
      ['a length [H1]', () => movedBehind(64, uploadOf(api), 'content-length'), 431, 'fields_too_large'],
      [
        'a transfer coding [H1]',
        () => {
          const fields: Field[] = [['Transfer-Encoding', 'chunked']];
          const chunked = api.signed({ method: 'PUT', target: '/upload', body, fields });
          const chunks = Buffer.from(`${upload.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
          return movedBehind(64, { ...chunked, body: chunks }, 'transfer-encoding');
        },
        431,
        'fields_too_large',
      ],
    ]);
  },
  { start: { maxHeadersCount: 64 } },
);

onEveryHost(
  'A streamed body whose Content-Length line is dropped',
  (api) => {
    refuseEachDropped(api, [
      ['a length [H1]', () => movedBehind(64, uploadOf(api), 'content-length'), 431, 'fields_too_large'],
    ]);
  },
  { start: { maxHeadersCount: 64, admission: { streamBody: () => true } } },
);

/** Sends one line of a field as several lines. */
const cut = (request: RawRequest, name: string, separator: string): RawRequest => ({
  ...request,
  fields: request.fields.flatMap(([field, value]): Field[] =>
    field === name ? value.split(separator).map((part) => [field, part]) : [[field, value]],
  ),
});

for (const http2 of [false, true]) {
  onEveryHost(
    `A signed field that the application reads differently${http2 ? ' over HTTP/2' : ''}`,
    (api) => {
      const covering = (name: string, value: string) =>
        api.signed({ fields: [[name, value]], alsoCovered: [`"${name}"`] });
      // No client of HTTP/2 sends these in two lines, and no server of it takes them.
      if (!http2) {
        refuseEach(api, [
          [
            'a condition split into two lines, of which the server keeps the first [H4]',
            () => cut(covering('if-unmodified-since', condition), 'if-unmodified-since', ', '),
            400,
            'request_malformed',
          ],
          [
            'a cookie split into two lines, which the server joins with a semicolon [H4]',
            () => cut(covering('cookie', 'role=reader, admin=1'), 'cookie', ', '),
            400,
            'request_malformed',
          ],
          [
            'a field named __proto__, which no application sees [H4]',
            () => covering('__proto__', 'x'),
            400,
            'request_malformed',
          ],
        ]);
      }

      it('is read as signed when it is whole, or a list in several lines [H4]', async () => {
        await api.accepts(covering('if-unmodified-since', condition), 200);
        await api.accepts(covering('cookie', 'role=reader; admin=0'), 200);
        if (!http2) await api.accepts(cut(covering('x-list', 'a, b'), 'x-list', ', '), 200);
      });
    },
    { start: { http2 } },
  );
}

onEverySetup('A content coding', (api) => {
  const zipped = gzipSync(body);
  const put = (fields: readonly Field[] = []) => api.signed({ method: 'PUT', target: '/upload', body: zipped, fields });
  const encoding: Field = ['Content-Encoding', 'gzip'];
  refuseEach(api, [
    ['a content coding added in transit [H3]', () => withFields(put(), encoding), 401, 'signature_incomplete'],
    [
      'a content coding added in transit to a request without a body [H3]',
      () => withFields(api.signed(), encoding),
      401,
      'signature_incomplete',
    ],
    [
      'a content coding removed in transit [H3]',
      () => tampered(put([encoding]), { fields: { 'Content-Encoding': null } }),
      401,
      'signature_incomplete',
    ],
    [
      'a content coding changed in transit [H3]',
      () => tampered(put([encoding]), { fields: { 'Content-Encoding': 'identity' } }),
      401,
      'signature_invalid',
    ],
  ]);

  it('is accepted when it is signed [H3]', async () => {
    await api.accepts(put([encoding]), 200);
  });
});

onEverySetup('Dot segments', (api) => {
  refuseEach(
    api,
    [
      '/x/../invoices',
      '/./invoices',
      '/x/%2e%2e/invoices',
      '/x/.%2E/invoices',
      '/invoices/%2E',
      '/invoices/..',
      '/x/..%2finvoices',
      '/x%2F..%5cinvoices',
      '/x/..;y/invoices',
    ].map((target) => [`the signed target ${target} [H2]`, () => api.signed({ target }), 400, 'request_malformed']),
  );

  it('dots in a query or within a name are not dot segments [H2]', async () => {
    await api.accepts(api.signed({ target: '/invoices?file=/../x' }), 200);
    for (const target of ['/..invoices', '/x..%2Finvoices']) await api.answers(api.signed({ target }), 404);
  });
});

onEverySetup('A chunked body that is empty', (api) => {
  const empty = (options = {}): RawRequest => {
    const fields: Field[] = [['Transfer-Encoding', 'chunked']];
    return { ...api.signed({ method: 'PUT', target: '/upload', fields, ...options }), body: Buffer.from('0\r\n\r\n') };
  };
  it('needs no digest, like any empty body [A5]', async () => {
    const { response } = await api.accepts(empty(), 200);
    expect(JSON.parse(response.body)).toMatchObject({ bytes: 0 });
  });
  refuseEach(api, [
    [
      'a byte without digest [A5]',
      () => ({ ...empty(), body: Buffer.from('1\r\nx\r\n0\r\n\r\n') }),
      401,
      'digest_required',
    ],
    ['a digest of other bytes [A5]', () => empty({ digest: 'sha-256=:AAAA:' }), 400, 'digest_malformed'],
  ]);

  it('is refused at its first byte, before its end [A5]', async () => {
    const before = api.records.length;
    const connection = await api.connect();
    const { method, target, fields } = empty();
    connection.write(
      `${method} ${target} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n1\r\nx`,
    );
    expect((await connection.read()).status).toBe(401);
    await vi.waitFor(() => expect(api.records.slice(before)).toMatchObject([{ code: 'digest_required' }]), patiently);
    connection.destroy();
  });
});

onEveryHost(
  'A host that shows its fields to the application alone, in mixed traffic',
  (api) => {
    it.each<[string, () => RawRequest | Promise<RawRequest>]>([
      ['signed', () => api.signed()],
      ['of an agent that shows only its token', async () => unsigned(await api.pull())],
      ['of a person', () => unsigned(api.signed())],
    ])('refuses a request %s, of which the guard sees nothing [A18, H1]', async (_whose, request) => {
      await api.refuses(await request(), 500, 'internal_error');
    });
  },
  {
    start: {
      guard: { traffic: 'mixed', onTrouble: () => {} },
      // As wrappers for serverless platforms make their requests.
      before: async ({ headers, rawHeaders }) => void (Object.keys(headers).length > 0 && rawHeaders.splice(0)),
    },
  },
);

onEveryHost(
  'A request of HTTP/1.0 without any field, to which the application adds one, in mixed traffic',
  (api) => {
    it('is one of a person, like the health check of a balancer [A18, H1]', async () => {
      const connection = await api.connect();
      connection.write('GET /health HTTP/1.0\r\n\r\n');
      expect((await connection.read()).status).not.toBe(500);
      connection.destroy();
    });
  },
  {
    start: {
      guard: { traffic: 'mixed' },
      before: async ({ headers }) => void (headers['x-request-id'] ??= '1'),
    },
  },
);

function unsigned({ fields, ...request }: RawRequest): RawRequest {
  return { ...request, fields: fields.filter(([name]) => !/^(signature|signature-input)$/i.test(name)) };
}
