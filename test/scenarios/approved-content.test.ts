import { deflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { type Api, type ApiOptions, onEveryHost, onEverySetup } from '../support/api.js';
import { approvalOf, askIn, bindingOf } from '../support/approvals.js';
import type { Field, RawRequest, SignedRequestOptions } from '../support/signed-request.js';
import { ed25519Issuer } from '../support/tokens.js';
import { policies } from '../support/world.js';

const authority = ed25519Issuer('https://approvals.acme.dev', 'approvals-1');
const world: ApiOptions = {
  config: {
    policies: policies.replace('@id("drafts-for-the-user")', '@id("drafts") @approval("release-managers")'),
    approvals: { issuers: [{ issuer: authority.issuer, jwks: { keys: [authority.jwk] } }] },
  },
};

const json = 'application/json';
/** In UTF-7, `reference` ends, and other members follow: `","to":"mallory","amount":9999,"y":"`. */
const hidden = Buffer.from('","to":"mallory","amount":9999,"y":"', 'utf16le').swap16().toString('base64');
const utf7 = `{"to":"alice","amount":10,"reference":"+${hidden.replace(/=+$/, '')}-"}`;

/** Text of JSON, which is `{ "to" : "eve" }` once brotli is undone: what follows the end of the stream is ignored. */
const brotli = Buffer.concat([
  Buffer.from(
    'IA0gCnsiYj1AeCdAWkFiJn1uROSjoUDEhdiCJdSeQnlmWjZIQCRGQuaBqMiAYVpUxIXZiOudsFla5K2BbjlmX1JiQCU5WDxMPVgl' +
      'QFTEhWwuWuStgW55aFhg2ojNs23btm3btm3btkXEgUguTCNOZEPKjdaRSFDQhnloWSZDy4jYkE1VREBVVUFFREXfgUg73InEgjzi' +
      'gIDjtJ1IQ9myzLRYJiTYvGHNgCguPCpk4bSIXUPZss21eClvPkcgzrt3cDpAdMuoIEdYJ+ibjkho6JutNWZYWNKDeTFQUNe1d1Qg' +
      'IOKgv+KJhHJNzIxYQEh9UDZAdMuIKCnNlFBlP3kw0LA0QHhUVVlVVWg2',
    'base64',
  ),
  Buffer.from('": "request key", "to": "alice", "amount": 10}'),
]);

interface Fields {
  readonly type: string;
  readonly coding?: string;
}

async function pull(
  api: Api,
  { type, coding }: Fields,
  options: Partial<SignedRequestOptions> = {},
): Promise<RawRequest> {
  const { fields = [], ...rest } = options;
  const coded: Field[] = coding === undefined ? [] : [['Content-Encoding', coding]];
  return await api.pull({}, { body: utf7, contentType: type, fields: [...coded, ...fields], ...rest });
}

/** What people would have been asked about the same body with other fields. */
async function approved(api: Api, fields: Fields, body: string | Uint8Array): Promise<Field> {
  const { response } = await api.denies(await pull(api, { type: json }, { body }), 403, 'approval_required');
  const { request } = askIn(response.body);
  const bound = {
    'content-type': fields.type,
    ...(fields.coding !== undefined && { 'content-encoding': fields.coding }),
  };
  const other = { ...request, http: { ...(request['http'] as object), fields: bound } };
  return ['Agent-Approval', await approvalOf({ binding: bindingOf(other), request: other }, authority)];
}

onEveryHost(
  'Approved content',
  (api) => {
    it.each<[string, Fields, (string | Uint8Array)?]>([
      ['in UTF-7', { type: 'application/json; charset=utf-7' }],
      ['in UTF-16', { type: 'application/json;charset="UTF-16LE"' }],
      ['in ISO-8859-1', { type: 'application/x-www-form-urlencoded; charset=iso-8859-1' }],
      ['with two charsets', { type: 'application/json; charset=utf-8; charset=utf-7' }],
      ['with a charset by RFC 8187', { type: "application/json; charset*=utf-8''utf-7" }],
      ['of two types', { type: 'application/json; x=1, application/x-www-form-urlencoded' }],
      ['of a type that nobody can parse', { type: 'application/json; charset' }],
      ['of parts in another charset', { type: 'multipart/form-data; boundary=x; charset=utf-7' }],
      ['that is compressed', { type: json, coding: 'deflate' }, deflateSync('{"to":"mallory"}')],
      ['that is JSON, and other JSON in brotli', { type: json, coding: 'br' }, brotli],
      ['with an unknown coding', { type: json, coding: 'identity, x-coding' }],
    ])(
      'neither asks people about a body %s, nor uses their approval of it [C13]',
      async (_what, fields, body = utf7) => {
        const { response } = await api.denies(await pull(api, fields, { body }), 400, 'request_malformed');
        expect(JSON.parse(response.body)).not.toHaveProperty('approval');
        const approval = await approved(api, fields, body);
        await api.denies(await pull(api, fields, { body, fields: [approval] }), 400, 'request_malformed');
      },
    );

    it.each(['application/json; charset=UTF-8', 'application/json;charset="utf-8"', json])(
      'asks people about a body of the type %s, with that type',
      async (type) => {
        const body = '{"title":"x"}';
        const { response } = await api.denies(await pull(api, { type }, { body }), 403, 'approval_required');
        const ask = askIn(response.body);
        expect(ask.request).toMatchObject({ http: { fields: { 'content-type': type } } });
        const fields: Field[] = [['Agent-Approval', await approvalOf(ask, authority)]];
        await api.accepts(await pull(api, { type }, { body, fields }), 201);
      },
    );

    it.each<[string | null, string]>([
      ['application/x+json', '{"title":"x"}'],
      ['application/x-www-form-urlencoded', 'title=x'],
      ['application/json;', '{"title":"x"}'],
      [null, '{"title":"x"}'],
    ])(
      'neither asks people about a body that the API may not read, of the type %s [C13]',
      async (contentType, body) => {
        const request = await api.pull({}, { body, contentType });
        await api.denies(request, 400, 'request_malformed');
      },
    );

    it('asks people about a body of a type that the API says it reads', async () => {
      const approvals = { ...world.config?.approvals, bodyTypes: ['text/x-note'] };
      const reading = await api.variant({ config: { ...world.config, approvals, bodyParser: 'none' } });
      await reading.denies(await pull(reading, { type: 'text/x-note' }), 403, 'approval_required');
      await reading.denies(await pull(reading, { type: json }), 400, 'request_malformed');
    });

    it('asks people about a request without a body', async () => {
      await api.denies(await api.pull({}, { body: '' }), 403, 'approval_required');
    });

    it('asks people about a body with the coding that is none', async () => {
      const fields = { type: json, coding: 'identity' };
      await api.denies(await pull(api, fields), 403, 'approval_required');
    });

    it('refuses a second Content-Type, whichever the application reads [C13]', async () => {
      const body = '{"title":"x"}';
      const second: Field[] = [['Content-Type', 'application/x-www-form-urlencoded']];
      const request = await pull(api, { type: json }, { body, fields: second });
      const { status } = await api.send(request);
      expect(status).toBeGreaterThanOrEqual(400);
    });

    it('minds the content only where people approve it', async () => {
      const open = await api.variant({ config: { bodyParser: 'none' } });
      await open.accepts(await pull(open, { type: 'application/json; charset=utf-7' }), 201);
    });
  },
  // Parsers refuse some of these bodies themselves.
  { config: { ...world.config, bodyParser: 'none' } },
);

onEverySetup(
  'Approved content and parsers',
  (api) => {
    it.each<[string, Fields, string | Uint8Array]>([
      ['of another charset', { type: 'application/json; charset=utf-7' }, utf7],
      ['in brotli', { type: json, coding: 'br' }, brotli],
    ])('an application does not read in an approved body %s what nobody saw [C13]', async (_what, fields, body) => {
      const approval = await approved(api, fields, body);
      const { status, body: answer } = await api.send(await pull(api, fields, { body, fields: [approval] }));
      // Some parsers refuse the body before the guard decides.
      expect([400, 415]).toContain(status);
      expect(answer).not.toMatch(/mallory|eve/);
      expect(api.running.handled).toEqual([]);
    });
  },
  world,
);
