import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { type Attack, onEveryHost, refuseEach } from '../support/api.js';
import { type Claims, publicPem, rawToken, signedBy, type TestIssuer } from '../support/tokens.js';
import { issuer, rsaKey, secondKey, stranger } from '../support/world.js';

const header = { typ: 'at+jwt', alg: 'EdDSA', kid: issuer.kid };

const hmac = (secret: string | Uint8Array) => (input: Buffer) => createHmac('sha256', secret).update(input).digest();

onEveryHost('How a token is signed', (api) => {
  const raw = (changed: Claims, sign: (input: Buffer) => Uint8Array = signedBy(issuer)) =>
    api.signed({ token: rawToken(JSON.stringify({ ...header, ...changed }), JSON.stringify(api.claims()), sign) });
  const { kid: _kid, ...withoutKid } = header;
  const pem = publicPem(issuer);

  refuseEach(api, [
    ['alg none [B1]', () => raw({ alg: 'none' }), 401, 'token_invalid'],
    ['alg none, and no signature [B1]', () => raw({ alg: 'none' }, () => Buffer.alloc(0)), 401, 'token_malformed'],
    ['alg noNE [B1]', () => raw({ alg: 'noNE' }), 401, 'token_invalid'],
    ['no alg [B1]', () => raw({ alg: undefined }), 401, 'token_invalid'],
    ['an alg that is not a string [B1]', () => raw({ alg: ['EdDSA'] }), 401, 'token_invalid'],
    ['HS256 with the PEM as secret [B1]', () => raw({ alg: 'HS256' }, hmac(pem)), 401, 'token_invalid'],
    ['HS256 with a PEM after white space [B1]', () => raw({ alg: 'HS256' }, hmac(`\n ${pem}`)), 401, 'token_invalid'],
    [
      'HS256 with the JWK as secret [B1]',
      () => raw({ alg: 'HS256' }, hmac(JSON.stringify(issuer.jwk))),
      401,
      'token_invalid',
    ],
    ['an HMAC with alg EdDSA [B1]', () => raw({}, hmac(pem)), 401, 'token_invalid'],
    ['RS256 for an Ed25519 key [B1]', () => raw({ alg: 'RS256' }), 401, 'token_invalid'],
    ['EdDSA for an RSA key [B1]', () => raw({ kid: rsaKey.kid }), 401, 'token_invalid'],
    ['PS256 for a key whose alg is RS256 [B1]', () => raw({ alg: 'PS256', kid: rsaKey.kid }), 401, 'token_invalid'],
    ['Ed448 [B1]', () => raw({ alg: 'Ed448' }), 401, 'token_invalid'],
    ['an algorithm that is off by default [B1]', () => raw({ alg: 'RS512', kid: rsaKey.kid }), 401, 'token_invalid'],
    ['another key of the same issuer [B1]', () => raw({ kid: secondKey.kid }), 401, 'token_invalid'],
    ['a signature of zeroes [B1]', () => raw({}, () => Buffer.alloc(64)), 401, 'token_invalid'],
    ...['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'cty', 'enc'].map(
      (name): Attack => [
        `a header with ${name} [B2]`,
        () => raw({ [name]: name === 'jwk' ? stranger.publicJwk : ['x'] }),
        401,
        'token_invalid',
      ],
    ),
    ...['../../dev/null', "' OR 1=1 --", '.*', '__proto__', 'constructor', 'acme-1 ', ''].map(
      (kid): Attack => [
        `kid ${JSON.stringify(kid)} [B2]`,
        () => raw({ kid }),
        401,
        kid === '' ? 'token_malformed' : 'token_invalid',
      ],
    ),
    ['a kid that is not a string [B2]', () => raw({ kid: 1 }), 401, 'token_malformed'],
    [
      'no kid when several keys match [B2]',
      () => api.signed({ token: rawToken(JSON.stringify(withoutKid), JSON.stringify(api.claims()), signedBy(issuer)) }),
      401,
      'token_invalid',
    ],
    ...[
      undefined,
      'JWT',
      'at+jw',
      'dpop+jwt',
      'oauth-id-jag+jwt',
      'txntoken+jwt',
      'statuslist+jwt',
      'secevent+jwt',
      'wit+jwt',
      'logout+jwt',
      'delegation+jwt',
      'at+jwt; v=1',
    ].map((typ): Attack => [`typ ${String(typ)} [B3]`, () => raw({ typ }), 401, 'token_invalid']),
  ]);

  it('a key address in the header is never fetched [B2]', async () => {
    let fetched = 0;
    const server = createServer((_request, response) => {
      fetched += 1;
      response.end('{}');
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    for (const name of ['jku', 'x5u']) await api.refuses(raw({ [name]: url }), 401, 'token_invalid');
    expect(fetched).toBe(0);
  });

  it.each([
    ['EdDSA', issuer, {}],
    ['Ed25519, its newer name', issuer, { alg: 'Ed25519' }],
    ['RS256', rsaKey, {}],
    ['without kid, where one key fits', rsaKey, { kid: undefined }],
    ['typ with its prefix, in any case', issuer, { typ: 'application/AT+JWT' }],
    ['a header with what means nothing', issuer, { nonce: 'x' }],
  ])('%s is accepted [B1, B3]', async (_title, by: TestIssuer, changed: Claims) => {
    await api.accepts(api.signed({ token: await api.token({}, changed, by) }), 200);
  });
});
