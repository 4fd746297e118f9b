import { expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { alsoSigned, fieldsNamed, type RawRequest, tampered, withFields } from '../support/signed-request.js';
import { reviewer, runner, stranger } from '../support/world.js';

const unsigned = (request: RawRequest) => tampered(request, { fields: { Signature: null, 'Signature-Input': null } });
const input = (request: RawRequest) => fieldsNamed(request, 'signature-input').join(', ');
const value = (request: RawRequest) => fieldsNamed(request, 'signature').join(', ');

onEveryHost('The selection of the signature', (api) => {
  refuseEach(api, [
    ['no signature at all [A17]', () => unsigned(api.signed()), 401, 'signature_required'],
    ['a valid token without a signature [A17]', async () => unsigned(await api.pull()), 401, 'signature_required'],
    [
      'a valid token beside a broken signature [A17]',
      async () => tampered(await api.pull(), { fields: { Signature: `sig=:${'A'.repeat(86)}==:` } }),
      401,
      'signature_invalid',
    ],
    [
      'a valid token beside a signature by an unknown key [A17]',
      async () => api.pull({}, { key: stranger, parameters: { keyid: `"${reviewer.thumbprint}"` } }),
      401,
      'signature_invalid',
    ],
    [
      'empty fields [A17]',
      () => tampered(api.signed(), { fields: { Signature: '', 'Signature-Input': '' } }),
      401,
      'signature_required',
    ],
    [
      'two signatures with our tag, the second valid [A7]',
      () => alsoSigned(api.signed({ label: 'bad', sign: () => Buffer.alloc(64) }), api.signed()),
      400,
      'signature_ambiguous',
    ],
    [
      'two valid signatures of one agent with our tag [A7]',
      () => alsoSigned(api.signed(), api.signed({ label: 'b' })),
      400,
      'signature_ambiguous',
    ],
    [
      "an attacker's own valid signature before the victim's [A7]",
      () => alsoSigned(api.signed({ key: runner, label: 'mine' }), api.signed()),
      400,
      'signature_ambiguous',
    ],
    ['the same label twice [A7]', () => alsoSigned(api.signed(), api.signed()), 400, 'signature_ambiguous'],
    [
      'the same label in two field lines [A7]',
      () => {
        const other = api.signed();
        return withFields(api.signed(), ['Signature-Input', input(other)], ['Signature', value(other)]);
      },
      400,
      'signature_ambiguous',
    ],
    [
      'a label only in Signature-Input [A7]',
      () => tampered(api.signed(), { fields: { Signature: null } }),
      400,
      'signature_ambiguous',
    ],
    [
      'a label only in Signature [A7]',
      () => tampered(api.signed(), { fields: { 'Signature-Input': null } }),
      400,
      'signature_ambiguous',
    ],
    [
      'a second label only in Signature [A7]',
      () => {
        const request = api.signed();
        return tampered(request, { fields: { Signature: `${value(request)}, other=:AAAA:` } });
      },
      400,
      'signature_ambiguous',
    ],
    ['no tag [A12]', () => api.signed({ parameters: { tag: undefined } }), 401, 'signature_required'],
    [
      'the tag of another profile [A12]',
      () => api.signed({ parameters: { tag: '"web-bot-auth"' } }),
      401,
      'signature_required',
    ],
    [
      'a tag that starts with ours [A12]',
      () => api.signed({ parameters: { tag: '"countersign2"' } }),
      401,
      'signature_required',
    ],
    ['a prefix of our tag [A12]', () => api.signed({ parameters: { tag: '"counter"' } }), 401, 'signature_required'],
    [
      'our tag in another case [A12]',
      () => api.signed({ parameters: { tag: '"Countersign"' } }),
      401,
      'signature_required',
    ],
    ['our tag as a token [A12]', () => api.signed({ parameters: { tag: 'countersign' } }), 400, 'signature_malformed'],
    [
      'our tag on a component instead of the signature [A12]',
      () => api.signed({ parameters: { tag: undefined }, alsoCovered: ['"host";tag="countersign"'] }),
      401,
      'signature_required',
    ],
    [
      'a signed response used as a request [A12]',
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
      'too many labels [A16]',
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
      'too many components [A16]',
      () => withInput(`sig=(${'"a" '.repeat(1000).trim()});tag="countersign"`),
      400,
      'signature_malformed',
    ],
    ['text that is not a dictionary [A16]', () => withInput('"'), 400, 'signature_malformed'],
    ['bytes beyond ASCII [A16]', () => withInput('s\xefg=();tag="countersign"'), 400, 'signature_malformed'],
    [
      'a component that is not quoted [A16]',
      () => withInput('sig=(@method);tag="countersign"'),
      400,
      'signature_malformed',
    ],
    [
      'an item in place of a list [A16]',
      () => withInput('sig="@method";tag="countersign"'),
      400,
      'signature_malformed',
    ],
    [
      'a keyid that is not quoted [A16]',
      () => api.signed({ parameters: { keyid: reviewer.thumbprint.replace(/^[^a-z]+/i, '') } }),
      400,
      'signature_malformed',
    ],
    [
      'a signature that is not a byte sequence [A16]',
      () => tampered(api.signed(), { fields: { Signature: 'sig="AAAA"' } }),
      400,
      'signature_malformed',
    ],
    [
      'a signature in base64url [A16]',
      () => tampered(api.signed(), { fields: { Signature: `sig=:${'-_'.repeat(43)}==:` } }),
      400,
      'signature_malformed',
    ],
    [
      'a nonce that is a byte sequence [A16]',
      () => api.signed({ parameters: { nonce: ':AAAAAAAAAAAA:' } }),
      400,
      'signature_malformed',
    ],
  ]);

  it('a repeated parameter is refused instead of using the last [A16]', async () => {
    const { records } = await api.refuses(
      api.signed({ parameters: { tag: `"countersign";created=${Math.floor(Date.now() / 1000)}` } }),
      400,
      'signature_malformed',
    );
    expect(records[0]).not.toHaveProperty('claimed');
  });

  it('a NUL never gets past the HTTP parser [A16]', async () => {
    const response = await api.send(withInput('sig=()\0;tag="countersign"'));
    expect(response.status).toBe(400);
    expect(api.running.handled).toEqual([]);
  });
});

onEveryHost(
  'Header sections of any size',
  (api) => {
    it('a header section of 64 kB [A16]', async () => {
      const fields = Array.from({ length: 16 }, (_, index) => [`x-${index}`, 'x'.repeat(4096)] as const);
      await api.refuses(api.signed({ fields }), 431, 'fields_too_large');
    });

    it('a dictionary of 10 000 members [A16]', async () => {
      const text = Array.from({ length: 10_000 }, (_, index) => `l${index}`).join(',');
      await api.refuses(tampered(api.signed(), { fields: { 'Signature-Input': text } }), 431, 'fields_too_large');
    });

    it('a long dictionary within the limit [A16]', async () => {
      const text = Array.from({ length: 4000 }, (_, index) => `l${index}`).join(',');
      await api.refuses(tampered(api.signed(), { fields: { 'Signature-Input': text } }), 400, 'signature_malformed');
    });

    it('a token of 20 kB [B2]', async () => {
      await api.refuses(api.signed({ token: 'a'.repeat(20_000) }), 401, 'token_malformed');
    });

    it('a keyid of 10 kB is refused, and truncated in the record [A11, F3]', async () => {
      const keyid = 'k'.repeat(10_000);
      const { records } = await api.refuses(api.signed({ parameters: { keyid: `"${keyid}"` } }), 401, 'key_unknown');
      const claimed = records[0]?.claimed?.keyId ?? '';
      expect(claimed.length).toBeLessThan(1100);
      expect(claimed).toContain('…');
    });

    it('a path of 10 kB is truncated in the record [F3]', async () => {
      const { records } = await api.refuses(
        tampered(api.signed(), { target: `/${'p'.repeat(10_000)}` }),
        401,
        'signature_invalid',
      );
      expect(records[0]?.request.path?.length).toBeLessThan(1100);
    });
  },
  { start: { maxHeaderBytes: 256 * 1024 } },
);
