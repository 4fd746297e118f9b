import { createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createSignatureBase,
  nativeSigningKey,
  type RequestMessage,
  requireComponents,
  signMessage,
  verificationKey,
  verifyMessage,
} from '../src/index.js';

/** Examples small enough to be copied from the RFC, so that conformance is shown without the published vectors. */
const testRequest: RequestMessage = {
  method: 'POST',
  scheme: 'https',
  authority: 'example.com',
  target: '/foo?param=Value&Pet=dog',
  rawFields: [
    'Host',
    'example.com',
    'Date',
    'Tue, 20 Apr 2021 02:07:55 GMT',
    'Content-Type',
    'application/json',
    'Content-Length',
    '18',
  ],
};

const seed = createPrivateKey(
  '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----',
);
const secret = createSecretKey(
  'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==',
  'base64',
);

describe('RFC 9421 as printed', () => {
  it('B.2.5 hmac-sha256', async () => {
    const signed = await signMessage(testRequest, {
      key: nativeSigningKey(secret, { keyId: 'test-shared-secret', algorithm: 'hmac-sha256' }),
      components: ['date', '@authority', 'content-type'],
      parameters: { created: 1618884473 },
      label: 'sig-b25',
    });
    expect(signed.signatureInput).toBe(
      'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    );
    expect(signed.signature).toBe('sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:');
  });

  it('B.2.6 ed25519', async () => {
    const signed = await signMessage(testRequest, {
      key: nativeSigningKey(seed, { keyId: 'test-key-ed25519' }),
      components: ['date', '@method', '@path', '@authority', 'content-type', 'content-length'],
      parameters: { created: 1618884473 },
      label: 'sig-b26',
    });
    expect(signed.signatureBase.split('\n')).toEqual([
      '"date": Tue, 20 Apr 2021 02:07:55 GMT',
      '"@method": POST',
      '"@path": /foo',
      '"@authority": example.com',
      '"content-type": application/json',
      '"content-length": 18',
      '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    ]);
    expect(signed.signature).toBe(
      'sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:',
    );
    const result = await verifyMessage(
      {
        ...testRequest,
        rawFields: [...testRequest.rawFields, 'Signature-Input', signed.signatureInput, 'Signature', signed.signature],
      },
      {
        select: { label: 'sig-b26' },
        components: requireComponents({ all: ['@method', '@authority', '@path'] }),
        parameters: ['created', 'keyid'],
        algorithms: ['ed25519'],
        now: 1618884473,
        maxAgeSeconds: 60,
        clockSkewSeconds: 0,
        resolveKey: () => verificationKey(createPublicKey(seed)),
      },
    );
    expect(result).toMatchObject({ ok: true, signature: { algorithm: 'ed25519', validUntil: 1618884533 } });
  });

  it.each([
    ['"example-dict";sf', 'a=1, b=2;x=1;y=2, c=(a b c)'],
    ['"example-dict";key="a"', '1'],
    ['"example-dict";key="d"', '?1'],
    ['"example-dict";key="c"', '(a b c)'],
    ['"example-header";bs', ':dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:'],
    ['example-header', 'value, with, lots, of, commas'],
    ['x-ows-header', 'Leading and trailing whitespace.'],
    ['x-obs-fold-header', 'Obsolete line folding.'],
    ['x-empty-header', ''],
    ['"@query-param";name="var"', 'this%20is%20a%20big%0Amultiline%20value'],
    ['"@query-param";name="bar"', 'with%20plus%20whitespace'],
    ['"@query-param";name="fa%C3%A7ade%22%3A%20"', 'something'],
  ])('§2.1, §2.2.8 %s', (component, value) => {
    const sfOnly = component.endsWith(';sf');
    const message: RequestMessage = {
      ...testRequest,
      target:
        '/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something',
      rawFields: [
        'X-OWS-Header',
        '   Leading and trailing whitespace.  ',
        'X-Obs-Fold-Header',
        ' Obsolete\r\n    line folding.',
        'X-Empty-Header',
        ' ',
        'Example-Dict',
        `  a=1,    b=2;x=1;y=2,   c=(a   b   c)${sfOnly ? '' : ', d'}`,
        'Example-Header',
        'value, with, lots',
        'Example-Header',
        'of, commas',
      ],
    };
    const built = createSignatureBase(message, [component], {}, { structuredFields: { 'example-dict': 'dictionary' } });
    if (!built.ok) expect.fail(built.detail);
    const [line = ''] = built.base.split('\n');
    expect(line.slice(line.indexOf(': ', component.length) + 2)).toBe(value);
  });
});
