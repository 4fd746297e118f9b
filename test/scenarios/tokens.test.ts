import { expect, it } from 'vitest';
import { type Api, type Attack, onEveryHost, refuseEach } from '../support/api.js';
import { alsoSigned, type Field, withFields } from '../support/signed-request.js';
import { type Claims, rawToken, signedBy, type TestIssuer } from '../support/tokens.js';
import { evilIssuer, issuer, partner, reviewer, reviewerId, runner, stranger, userId } from '../support/world.js';

const now = () => Math.floor(Date.now() / 1000);
const header = { typ: 'at+jwt', alg: 'EdDSA', kid: issuer.kid };

/** A request with this token or Authorization value, which is always covered. */
const withToken = (api: Api, token: string) => api.signed({ token });
const withAuthorization = (api: Api, value: string) => api.signed({ fields: [['Authorization', value]] });

onEveryHost('The syntax of a token', (api) => {
  const json = (text: string) => withToken(api, rawToken(JSON.stringify(header), text, signedBy(issuer)));
  const text = () => JSON.stringify(api.claims());

  refuseEach(api, [
    ['four parts [B2]', async () => withToken(api, `${await api.token()}.AAAA`), 401, 'token_malformed'],
    [
      'five parts, as of a JWE [B2]',
      async () => withToken(api, `${await api.token()}.AAAA.AAAA`),
      401,
      'token_malformed',
    ],
    ['two parts [B2]', async () => withToken(api, (await api.token()).split('.', 2).join('.')), 401, 'token_malformed'],
    [
      'an empty part [B2]',
      async () => withToken(api, (await api.token()).replace(/\.[^.]+$/, '.')),
      401,
      'token_malformed',
    ],
    ['padding [B2]', async () => withToken(api, `${await api.token()}==`), 401, 'token_malformed'],
    ['a space inside [B2]', async () => withToken(api, (await api.token()).replace('.', '. ')), 401, 'token_malformed'],
    ['base64 in place of base64url [B2]', () => withToken(api, 'ab+/.ab+/.ab+/'), 401, 'token_malformed'],
    [
      'JSON serialisation [B2]',
      () => withAuthorization(api, 'Bearer {"payload":"e30","signatures":[]}'),
      401,
      'token_malformed',
    ],
    [
      'non-zero padding bits [B2]',
      async () => withToken(api, `${(await api.token()).slice(0, -1)}_`),
      401,
      'token_malformed',
    ],
    ['a duplicate exp [B6]', () => json(text().replace('{', `{"exp":${now() + 9999},`)), 401, 'token_malformed'],
    [
      'a duplicate exp, one escaped [B6]',
      () => json(text().replace('{', String.raw`{"\u0065xp":9999999999,`)),
      401,
      'token_malformed',
    ],
    [
      'a duplicate alg in the header [B2]',
      () => withToken(api, rawToken('{"alg":"none","alg":"EdDSA","typ":"at+jwt"}', text(), signedBy(issuer))),
      401,
      'token_malformed',
    ],
    [
      'a member named __proto__ [B7]',
      () => json(text().replace('{', '{"__proto__":{"sub":"admin"},')),
      401,
      'token_malformed',
    ],
    ['a payload that is not an object [B2]', () => json('["a"]'), 401, 'token_malformed'],
    ['a payload that is not JSON [B2]', () => json('{'), 401, 'token_malformed'],
    ['exp NaN [B6]', () => json(text().replace(/"exp":\d+/, '"exp":NaN')), 401, 'token_malformed'],
    [
      '1,000 nested act claims [C1]',
      () => json(text().replace(/"act":\{[^}]*\}/, `"act":${'{"act":'.repeat(1000)}1${'}'.repeat(1000)}`)),
      401,
      'token_malformed',
    ],
    ['two spaces [B8]', async () => withAuthorization(api, `Bearer  ${await api.token()}`), 401, 'token_malformed'],
    ['a tab [B8]', async () => withAuthorization(api, `Bearer\t${await api.token()}`), 401, 'token_malformed'],
    ['no token [B8]', () => withAuthorization(api, 'Bearer'), 401, 'token_malformed'],
    ['an empty Authorization [B8]', () => withAuthorization(api, ''), 401, 'token_malformed'],
    ['a token as DPoP [B8]', async () => withAuthorization(api, `DPoP ${await api.token()}`), 401, 'token_malformed'],
    ['Basic [B8]', () => withAuthorization(api, 'Basic dXNlcjpwYXNzd29yZA=='), 401, 'token_malformed'],
    [
      'a parameter after the token [B8]',
      async () => withAuthorization(api, `Bearer ${await api.token()}, realm="x"`),
      401,
      'token_malformed',
    ],
    [
      'two tokens in two fields [B8, C2]',
      async () =>
        api.signed({
          fields: [['Authorization', `Bearer ${await api.token()}`]],
          token: await api.token({ sub: 'user_456' }),
        }),
      401,
      'token_malformed',
    ],
    [
      'two tokens in one field [B8, C2]',
      async () => withAuthorization(api, `Bearer ${await api.token()}, Bearer ${await api.token({ sub: 'user_456' })}`),
      401,
      'token_malformed',
    ],
    ['a malformed percent [B10]', () => withAuthorization(api, 'Bearer %zz'), 401, 'token_malformed'],
    [
      'bytes that are not UTF-8, which a signature base cannot hold [B10]',
      () => withAuthorization(api, 'Bearer \xff\xfe.\xc3\x28.\x80'),
      401,
      'token_malformed',
    ],
  ]);

  it('the scheme in any case [B8]', async () => {
    await api.accepts(withAuthorization(api, `bEARER ${await api.token()}`), 200);
  });

  it('a token in the query or in the body has no effect [B8]', async () => {
    const token = await api.token();
    const { response } = await api.accepts(api.signed({ target: `/whoami?access_token=${token}` }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ subject: { id: reviewerId, type: 'agent' } });
    await api.denies(
      api.signed({
        method: 'POST',
        target: '/repos/acme/api/pulls',
        body: `access_token=${token}`,
        contentType: 'application/x-www-form-urlencoded',
      }),
      403,
      'policy_denied',
    );
  });
});

onEveryHost('The claims of a token', (api) => {
  const saying = async (claims: Claims, by?: TestIssuer) => withToken(api, await api.token(claims, {}, by));
  const bad = (title: string, claims: () => Claims, code: Attack[3] = 'token_invalid'): Attack => [
    title,
    () => saying(claims()),
    401,
    code,
  ];

  refuseEach(api, [
    ['an issuer that is not trusted [B4]', () => saying({}, evilIssuer), 401, 'token_issuer_unknown'],
    [
      'a trusted name with the key of another [B4]',
      () => saying({ iss: issuer.issuer }, evilIssuer),
      401,
      'token_invalid',
    ],
    [
      'a trusted name with the key of another trusted issuer [B4]',
      () => saying({ iss: issuer.issuer }, partner),
      401,
      'token_invalid',
    ],
    bad('an issuer with a trailing slash [B4]', () => ({ iss: `${issuer.issuer}/` }), 'token_issuer_unknown'),
    bad('an issuer in another case [B4]', () => ({ iss: 'https://ID.acme.dev' }), 'token_issuer_unknown'),
    bad('a name that starts with ours [B4]', () => ({ iss: `${issuer.issuer}.evil.example` }), 'token_issuer_unknown'),
    bad('a list of issuers [B4]', () => ({ iss: [issuer.issuer] }), 'token_issuer_unknown'),
    bad('no issuer [B4]', () => ({ iss: undefined }), 'token_issuer_unknown'),
    bad('__proto__ as issuer [B4]', () => ({ iss: '__proto__' }), 'token_issuer_unknown'),
    bad('no audience [B5]', () => ({ aud: undefined })),
    bad('an empty list as audience [B5]', () => ({ aud: [] })),
    bad('an object as audience [B5]', () => ({ aud: { 0: api.audience } })),
    bad('another resource as audience [B5]', () => ({ aud: 'https://mcp.acme.dev' }), 'token_audience_mismatch'),
    bad('an audience with a trailing slash [B5]', () => ({ aud: `${api.audience}/` }), 'token_audience_mismatch'),
    bad('an audience with a path [B5]', () => ({ aud: `${api.audience}/api` }), 'token_audience_mismatch'),
    bad('a prefix of our audience [B5]', () => ({ aud: api.audience.slice(0, -1) }), 'token_audience_mismatch'),
    bad('an audience in another case [B5]', () => ({ aud: api.audience.toUpperCase() }), 'token_audience_mismatch'),
    bad('too many audiences [B5]', () => ({
      aud: [api.audience, ...Array.from({ length: 16 }, (_, index) => `a${index}`)],
    })),
    bad('no exp [B6]', () => ({ exp: undefined })),
    bad('exp 0 [B6]', () => ({ exp: 0 })),
    bad('exp as a string [B6]', () => ({ exp: `${now() + 60}` })),
    bad('exp null [B6]', () => ({ exp: null })),
    bad('exp 1e308 [B6]', () => ({ exp: 1e308 })),
    bad('exp with a fraction [B6]', () => ({ exp: now() + 60.5 })),
    bad('exp in the past [B6]', () => ({ iat: now() - 400, exp: now() - 100 }), 'token_expired'),
    bad('nbf in the future [B6]', () => ({ nbf: now() + 100 }), 'token_expired'),
    bad('nbf as a string [B6]', () => ({ nbf: '0' })),
    bad('iat in the future [B6]', () => ({ iat: now() + 100, exp: now() + 200 }), 'token_expired'),
    bad('a lifetime over an hour [B6]', () => ({ exp: now() + 3700 })),
    bad('no iat, and a distant exp [B6]', () => ({ iat: undefined, exp: now() + 4000 })),
    bad('no sub [B7]', () => ({ sub: undefined })),
    bad('an empty sub [B7]', () => ({ sub: '' })),
    bad('a list of subs [B7]', () => ({ sub: [userId] })),
    bad('sub with a line feed [B7]', () => ({ sub: 'user_123\nadmin' })),
    bad('sub with a bidi override [B7]', () => ({ sub: 'user\u202e_123' })),
    bad('sub with a NUL [B7]', () => ({ sub: 'user_123\0' })),
    bad('sub with a space at its end [B7, C5]', () => ({ sub: 'user_123 ' })),
    bad('sub that is not normalised [B7, C5]', () => ({ sub: 'use\u0301r' })),
    bad('a very long sub [B7]', () => ({ sub: 'u'.repeat(300) })),
    bad('sub that is the client [B7]', () => ({ sub: 'client-1', client_id: 'client-1' }), 'token_delegation_invalid'),
    bad('scope as a list [B7]', () => ({ scope: ['repo:read'] })),
    bad('scope with a no-break space [B7]', () => ({ scope: 'repo:read\u00a0pr:write' })),
    bad('scope with two spaces [B7]', () => ({ scope: 'repo:read  pr:write' })),
    bad('an empty scope [B7]', () => ({ scope: '' })),
    bad('cnf with an unknown member only [B8]', () => ({ cnf: { kid: 'x' } })),
    bad('cnf for mTLS [B8]', () => ({ cnf: { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' } })),
    bad('cnf for a key and for mTLS [B8]', () => ({ cnf: { jkt: reviewer.thumbprint, 'x5t#S256': 'x' } })),
    bad('cnf as a string [B8]', () => ({ cnf: reviewer.thumbprint })),
    bad('a jkt that is not a thumbprint [B8]', () => ({ cnf: { jkt: 'x' } })),
    bad('jkt and jwk that differ [B8]', () => ({ cnf: { jkt: reviewer.thumbprint, jwk: runner.publicJwk } })),
    bad('cnf with a private key [B8]', () => ({ cnf: { jwk: { ...reviewer.publicJwk, d: 'AAAA' } } })),
    bad('cnf.jkt of another key [B8]', () => ({ cnf: { jkt: runner.thumbprint } }), 'token_not_bound_to_agent'),
    bad('cnf.jwk of another key [B8]', () => ({ cnf: { jwk: runner.publicJwk } }), 'token_not_bound_to_agent'),
  ]);

  it('ours among several audiences [B5]', async () => {
    await api.accepts(await saying({ aud: ['https://mcp.acme.dev', api.audience] }), 200);
  });

  it('a repeated scope counts once, and one outside the capabilities has no effect [B7]', async () => {
    const { response } = await api.accepts(await saying({ scope: 'repo:read repo:read admin' }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ scope: ['repo:read'] });
  });

  it('a token is refused after it has expired [B6, D13]', async () => {
    let time = now();
    const timed = await api.variant({ start: { guard: { clock: () => time * 1000 } } });
    const token = await timed.token({ iat: time, exp: time + 30 });
    await timed.accepts(timed.signed({ token, now: time }), 200);
    time += 34;
    await timed.accepts(timed.signed({ token, now: time }), 200);
    time += 1;
    await timed.refuses(timed.signed({ token, now: time }), 401, 'token_expired');
  });

  it('the challenge names the problem of the token (RFC 6750), and nothing about the signature', async () => {
    const { response } = await api.refuses(
      await saying({ aud: 'https://other.example' }),
      401,
      'token_audience_mismatch',
    );
    expect(response.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", error_description="[^"]+"$/);
    expect(response.headers).not.toHaveProperty('accept-signature');
  });

  it('the challenge lists the components to sign (RFC 9421)', async () => {
    const { response } = await api.refuses(api.signed({ covered: [] }), 401, 'signature_incomplete');
    expect(response.headers['www-authenticate']).toBe('Signature error="signature_incomplete"');
    expect(response.headers['accept-signature']).toMatch(
      /^sig=\("@method" .*\);created;nonce;keyid;tag="countersign"$/,
    );
    expect(response.headers['cache-control']).toBe('no-store');
  });
});

onEveryHost('A token does not save a signature, and a signature does not save a token', (api) => {
  refuseEach(api, [
    [
      'an unknown key with a genuine token [A17, C4]',
      async () => api.signed({ key: stranger, token: await api.token() }),
      401,
      'key_unknown',
    ],
    [
      'an unknown key and an untrusted token [B4]',
      async () => api.signed({ key: stranger, token: await api.token({}, {}, evilIssuer) }),
      401,
      'token_issuer_unknown',
    ],
    [
      'a token added to a signature with another tag [A18]',
      async () => {
        const authorization: Field = ['Authorization', `Bearer ${await api.token()}`];
        const theirs = api.signed({ label: 'x', fields: [authorization], parameters: { tag: '"other"' } });
        return withFields(alsoSigned(api.signed(), theirs), authorization);
      },
      401,
      'credential_uncovered',
    ],
  ]);
});
