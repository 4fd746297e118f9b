import { expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { alsoSigned, fieldsNamed, type RawRequest, tampered, withFields } from '../support/signed-request.js';
import { reviewer, runner, stranger } from '../support/world.js';

const unsigned = (request: RawRequest) => tampered(request, { fields: { Signature: null, 'Signature-Input': null } });
const input = (request: RawRequest) => fieldsNamed(request, 'signature-input').join(', ');
const value = (request: RawRequest) => fieldsNamed(request, 'signature').join(', ');

onEveryHost('Which signature counts', (api) => {
  refuseEach(api, [
    ['A17 no signature at all', () => unsigned(api.signed()), 401, 'signature_required'],
    ['A17 a valid token without a signature', async () => unsigned(await api.pull()), 401, 'signature_required'],
    [
      'A17 a valid token beside a broken signature',
      async () => tampered(await api.pull(), { fields: { Signature: `sig=:${'A'.repeat(86)}==:` } }),
      401,
      'signature_invalid',
    ],
    [
      'A17 a valid token beside a signature by a stranger',
      async () => api.pull({}, { key: stranger, parameters: { keyid: `"${reviewer.thumbprint}"` } }),
      401,
      'signature_invalid',
    ],
    [
      'A17 empty fields',
      () => tampered(api.signed(), { fields: { Signature: '', 'Signature-Input': '' } }),
      401,
      'signature_required',
    ],
    [
      'A7 two signatures with our tag, the second valid',
      () => alsoSigned(api.signed({ label: 'bad', sign: () => Buffer.alloc(64) }), api.signed()),
      400,
      'signature_ambiguous',
    ],
    [
      'A7 two valid signatures of one agent with our tag',
      () => alsoSigned(api.signed(), api.signed({ label: 'b' })),
      400,
      'signature_ambiguous',
    ],
    [
      "A7 an attacker's own valid signature put before the victim's",
      () => alsoSigned(api.signed({ key: runner, label: 'mine' }), api.signed()),
      400,
      'signature_ambiguous',
    ],
    ['A7 the same label twice', () => alsoSigned(api.signed(), api.signed()), 400, 'signature_ambiguous'],
    [
      'A7 the same label in two field lines',
      () => {
        const other = api.signed();
        return withFields(api.signed(), ['Signature-Input', input(other)], ['Signature', value(other)]);
      },
      400,
      'signature_ambiguous',
    ],
    [
      'A7 a label only in Signature-Input',
      () => tampered(api.signed(), { fields: { Signature: null } }),
      400,
      'signature_ambiguous',
    ],
    [
      'A7 a label only in Signature',
      () => tampered(api.signed(), { fields: { 'Signature-Input': null } }),
      400,
      'signature_ambiguous',
    ],
    [
      'A7 a second label only in Signature',
      () => {
        const request = api.signed();
        return tampered(request, { fields: { Signature: `${value(request)}, other=:AAAA:` } });
      },
      400,
      'signature_ambiguous',
    ],
    ['A12 no tag', () => api.signed({ parameters: { tag: undefined } }), 401, 'signature_required'],
    [
      'A12 the tag of another profile',
      () => api.signed({ parameters: { tag: '"web-bot-auth"' } }),
      401,
      'signature_required',
    ],
    [
      'A12 a tag that ours begins',
      () => api.signed({ parameters: { tag: '"countersign2"' } }),
      401,
      'signature_required',
    ],
    ['A12 a tag that begins ours', () => api.signed({ parameters: { tag: '"counter"' } }), 401, 'signature_required'],
    [
      'A12 our tag in another case',
      () => api.signed({ parameters: { tag: '"Countersign"' } }),
      401,
      'signature_required',
    ],
    ['A12 our tag as a token', () => api.signed({ parameters: { tag: 'countersign' } }), 400, 'signature_malformed'],
    [
      'A12 our tag on a component instead of the signature',
      () => api.signed({ parameters: { tag: undefined }, alsoCovered: ['"host";tag="countersign"'] }),
      401,
      'signature_required',
    ],
    [
      'A12 a signed response used as a request',
      () => api.signed({ covered: ['"@status"', '"@method";req', '"@authority";req', '"@path";req'] }),
      401,
      'signature_incomplete',
    ],
  ]);
});

onEveryHost('Signature fields that are hard to read', (api) => {
  const withInput = (text: string) => tampered(api.signed(), { fields: { 'Signature-Input': text } });
  refuseEach(api, [
    [
      'A16 more labels than anybody needs',
      () => {
        const labels = Array.from({ length: 40 }, (_, index) => `l${index}`);
        return tampered(api.signed(), {
          fields: {
            'Signature-Input': labels.map((label) => `${label}=()`).join(', '),
            Signature: labels.map((label) => `${label}=:AA==:`).join(', '),
          },
        });
      },
      400,
      'signature_malformed',
    ],
    [
      'A16 more components than anybody needs',
      () => withInput(`sig=(${'"a" '.repeat(1000).trim()});tag="countersign"`),
      400,
      'signature_malformed',
    ],
    ['A16 text that is no dictionary', () => withInput('"'), 400, 'signature_malformed'],
    ['A16 bytes beyond ASCII', () => withInput('s\xefg=();tag="countersign"'), 400, 'signature_malformed'],
    [
      'A16 a component that is not quoted',
      () => withInput('sig=(@method);tag="countersign"'),
      400,
      'signature_malformed',
    ],
    [
      'A16 an item where a list belongs',
      () => withInput('sig="@method";tag="countersign"'),
      400,
      'signature_malformed',
    ],
    [
      'A16 a keyid that is not quoted',
      () => api.signed({ parameters: { keyid: reviewer.thumbprint.replace(/^[^a-z]+/i, '') } }),
      400,
      'signature_malformed',
    ],
    [
      'A16 a signature that is no byte sequence',
      () => tampered(api.signed(), { fields: { Signature: 'sig="AAAA"' } }),
      400,
      'signature_malformed',
    ],
    [
      'A16 a signature in base64url',
      () => tampered(api.signed(), { fields: { Signature: `sig=:${'-_'.repeat(43)}==:` } }),
      400,
      'signature_malformed',
    ],
    [
      'A16 a nonce that is a byte sequence',
      () => api.signed({ parameters: { nonce: ':AAAAAAAAAAAA:' } }),
      400,
      'signature_malformed',
    ],
  ]);

  it('A16 a parameter twice is refused, not taken last', async () => {
    const { records } = await api.refuses(
      api.signed({ parameters: { tag: `"countersign";created=${Math.floor(Date.now() / 1000)}` } }),
      400,
      'signature_malformed',
    );
    expect(records[0]).not.toHaveProperty('claimed');
  });

  it('A16 a NUL never gets past the HTTP parser', async () => {
    const response = await api.send(withInput('sig=()\0;tag="countersign"'));
    expect(response.status).toBe(400);
    expect(api.running.handled).toEqual([]);
  });
});

onEveryHost(
  'Header sections of any size',
  (api) => {
    it('A16 a header section of 64 kB', async () => {
      const fields = Array.from({ length: 16 }, (_, index) => [`x-${index}`, 'x'.repeat(4096)] as const);
      await api.refuses(api.signed({ fields }), 431, 'fields_too_large');
    });

    it('A16 a dictionary of 10 000 members', async () => {
      const text = Array.from({ length: 10_000 }, (_, index) => `l${index}`).join(',');
      await api.refuses(tampered(api.signed(), { fields: { 'Signature-Input': text } }), 431, 'fields_too_large');
    });

    it('A16 a long dictionary within the limit', async () => {
      const text = Array.from({ length: 4000 }, (_, index) => `l${index}`).join(',');
      await api.refuses(tampered(api.signed(), { fields: { 'Signature-Input': text } }), 400, 'signature_malformed');
    });

    it('B2 a token of 20 kB', async () => {
      await api.refuses(api.signed({ token: 'a'.repeat(20_000) }), 401, 'token_malformed');
    });

    it('A11 F3 a keyid of 10 kB is refused, and recorded cut short', async () => {
      const keyid = 'k'.repeat(10_000);
      const { records } = await api.refuses(api.signed({ parameters: { keyid: `"${keyid}"` } }), 401, 'key_unknown');
      const claimed = records[0]?.claimed?.keyId ?? '';
      expect(claimed.length).toBeLessThan(1100);
      expect(claimed).toContain('…');
    });

    it('F3 a path of 10 kB is recorded cut short', async () => {
      const { records } = await api.refuses(
        tampered(api.signed(), { target: `/${'p'.repeat(10_000)}` }),
        401,
        'signature_invalid',
      );
      expect(records[0]?.request.path.length).toBeLessThan(1100);
    });
  },
  { start: { maxHeaderBytes: 256 * 1024 } },
);
