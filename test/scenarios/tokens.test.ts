import { expect, it } from 'vitest';
import { type Api, type Attack, onEveryHost, refuseEach } from '../support/api.js';
import { alsoSigned, type Field, withFields } from '../support/signed-request.js';
import { type Claims, rawToken, signedBy, type TestIssuer } from '../support/tokens.js';
import { evilIssuer, issuer, partner, reviewer, reviewerId, runner, stranger, userId } from '../support/world.js';

const now = () => Math.floor(Date.now() / 1000);
const header = { typ: 'at+jwt', alg: 'EdDSA', kid: issuer.kid };

/** A request with this token or Authorization value, whatever it is; always covered. */
const withToken = (api: Api, token: string) => api.signed({ token });
const withAuthorization = (api: Api, value: string) => api.signed({ fields: [['Authorization', value]] });

onEveryHost('How a token is written', (api) => {
  const json = (text: string) => withToken(api, rawToken(JSON.stringify(header), text, signedBy(issuer)));
  const text = () => JSON.stringify(api.claims());

  refuseEach(api, [
    ['B2 four parts', async () => withToken(api, `${await api.token()}.AAAA`), 401, 'token_malformed'],
    [
      'B2 five parts, as of a JWE',
      async () => withToken(api, `${await api.token()}.AAAA.AAAA`),
      401,
      'token_malformed',
    ],
    ['B2 two parts', async () => withToken(api, (await api.token()).split('.', 2).join('.')), 401, 'token_malformed'],
    [
      'B2 an empty part',
      async () => withToken(api, (await api.token()).replace(/\.[^.]+$/, '.')),
      401,
      'token_malformed',
    ],
    ['B2 padding', async () => withToken(api, `${await api.token()}==`), 401, 'token_malformed'],
    ['B2 a space inside', async () => withToken(api, (await api.token()).replace('.', '. ')), 401, 'token_malformed'],
    ['B2 base64 in place of base64url', () => withToken(api, 'ab+/.ab+/.ab+/'), 401, 'token_malformed'],
    [
      'B2 JSON serialisation',
      () => withAuthorization(api, 'Bearer {"payload":"e30","signatures":[]}'),
      401,
      'token_malformed',
    ],
    [
      'B2 bits after the end',
      async () => withToken(api, `${(await api.token()).slice(0, -1)}_`),
      401,
      'token_malformed',
    ],
    ['B6 exp twice', () => json(text().replace('{', `{"exp":${now() + 9999},`)), 401, 'token_malformed'],
    [
      'B6 exp twice, once escaped',
      () => json(text().replace('{', String.raw`{"\u0065xp":9999999999,`)),
      401,
      'token_malformed',
    ],
    [
      'B2 alg twice in the header',
      () => withToken(api, rawToken('{"alg":"none","alg":"EdDSA","typ":"at+jwt"}', text(), signedBy(issuer))),
      401,
      'token_malformed',
    ],
    [
      'B7 a member named __proto__',
      () => json(text().replace('{', '{"__proto__":{"sub":"admin"},')),
      401,
      'token_malformed',
    ],
    ['B2 a payload that is no object', () => json('["a"]'), 401, 'token_malformed'],
    ['B2 a payload that is no JSON', () => json('{'), 401, 'token_malformed'],
    ['B6 exp NaN', () => json(text().replace(/"exp":\d+/, '"exp":NaN')), 401, 'token_malformed'],
    [
      'C1 a nest of 1000 act',
      () => json(text().replace(/"act":\{[^}]*\}/, `"act":${'{"act":'.repeat(1000)}1${'}'.repeat(1000)}`)),
      401,
      'token_malformed',
    ],
    ['B8 two spaces', async () => withAuthorization(api, `Bearer  ${await api.token()}`), 401, 'token_malformed'],
    ['B8 a tab', async () => withAuthorization(api, `Bearer\t${await api.token()}`), 401, 'token_malformed'],
    ['B8 no token', () => withAuthorization(api, 'Bearer'), 401, 'token_malformed'],
    ['B8 an empty Authorization', () => withAuthorization(api, ''), 401, 'token_malformed'],
    ['B8 a token as DPoP', async () => withAuthorization(api, `DPoP ${await api.token()}`), 401, 'token_malformed'],
    ['B8 Basic', () => withAuthorization(api, 'Basic dXNlcjpwYXNzd29yZA=='), 401, 'token_malformed'],
    [
      'B8 a parameter behind the token',
      async () => withAuthorization(api, `Bearer ${await api.token()}, realm="x"`),
      401,
      'token_malformed',
    ],
    [
      'B8 C2 two tokens in two fields',
      async () =>
        api.signed({
          fields: [['Authorization', `Bearer ${await api.token()}`]],
          token: await api.token({ sub: 'user_456' }),
        }),
      401,
      'token_malformed',
    ],
    [
      'B8 C2 two tokens in one field',
      async () => withAuthorization(api, `Bearer ${await api.token()}, Bearer ${await api.token({ sub: 'user_456' })}`),
      401,
      'token_malformed',
    ],
    ['B10 a malformed percent', () => withAuthorization(api, 'Bearer %zz'), 401, 'token_malformed'],
    [
      'B10 bytes that are no UTF-8, which no signature base can hold',
      () => withAuthorization(api, 'Bearer \xff\xfe.\xc3\x28.\x80'),
      401,
      'token_malformed',
    ],
  ]);

  it('B8 the scheme in any case', async () => {
    await api.accepts(withAuthorization(api, `bEARER ${await api.token()}`), 200);
  });

  it('B8 a token in the query or in the body gives nothing', async () => {
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

onEveryHost('What a token says', (api) => {
  const saying = async (claims: Claims, by?: TestIssuer) => withToken(api, await api.token(claims, {}, by));
  const bad = (title: string, claims: () => Claims, code: Attack[3] = 'token_invalid'): Attack => [
    title,
    () => saying(claims()),
    401,
    code,
  ];

  refuseEach(api, [
    ['B4 an issuer that nobody trusts', () => saying({}, evilIssuer), 401, 'token_issuer_unknown'],
    [
      'B4 a trusted name with the key of another',
      () => saying({ iss: issuer.issuer }, evilIssuer),
      401,
      'token_invalid',
    ],
    [
      'B4 a trusted name with the key of another trusted issuer',
      () => saying({ iss: issuer.issuer }, partner),
      401,
      'token_invalid',
    ],
    bad('B4 a trailing slash', () => ({ iss: `${issuer.issuer}/` }), 'token_issuer_unknown'),
    bad('B4 another case', () => ({ iss: 'https://ID.acme.dev' }), 'token_issuer_unknown'),
    bad('B4 a name that ours begins', () => ({ iss: `${issuer.issuer}.evil.example` }), 'token_issuer_unknown'),
    bad('B4 a list of issuers', () => ({ iss: [issuer.issuer] }), 'token_issuer_unknown'),
    bad('B4 no issuer', () => ({ iss: undefined }), 'token_issuer_unknown'),
    bad('B4 __proto__ as issuer', () => ({ iss: '__proto__' }), 'token_issuer_unknown'),
    bad('B5 no audience', () => ({ aud: undefined })),
    bad('B5 an empty list', () => ({ aud: [] })),
    bad('B5 an object', () => ({ aud: { 0: api.audience } })),
    bad('B5 another resource', () => ({ aud: 'https://mcp.acme.dev' }), 'token_audience_mismatch'),
    bad('B5 a trailing slash', () => ({ aud: `${api.audience}/` }), 'token_audience_mismatch'),
    bad('B5 a path below', () => ({ aud: `${api.audience}/api` }), 'token_audience_mismatch'),
    bad('B5 the beginning of ours', () => ({ aud: api.audience.slice(0, -1) }), 'token_audience_mismatch'),
    bad('B5 another case', () => ({ aud: api.audience.toUpperCase() }), 'token_audience_mismatch'),
    bad('B5 a list too long', () => ({
      aud: [api.audience, ...Array.from({ length: 16 }, (_, index) => `a${index}`)],
    })),
    bad('B6 no exp', () => ({ exp: undefined })),
    bad('B6 exp 0', () => ({ exp: 0 })),
    bad('B6 exp as a string', () => ({ exp: `${now() + 60}` })),
    bad('B6 exp null', () => ({ exp: null })),
    bad('B6 exp 1e308', () => ({ exp: 1e308 })),
    bad('B6 exp with a fraction', () => ({ exp: now() + 60.5 })),
    bad('B6 exp past', () => ({ iat: now() - 400, exp: now() - 100 }), 'token_expired'),
    bad('B6 nbf in the future', () => ({ nbf: now() + 100 }), 'token_expired'),
    bad('B6 nbf as a string', () => ({ nbf: '0' })),
    bad('B6 iat in the future', () => ({ iat: now() + 100, exp: now() + 200 }), 'token_expired'),
    bad('B6 a lifetime over an hour', () => ({ exp: now() + 3700 })),
    bad('B6 no iat, and an end far away', () => ({ iat: undefined, exp: now() + 4000 })),
    bad('B7 no sub', () => ({ sub: undefined })),
    bad('B7 an empty sub', () => ({ sub: '' })),
    bad('B7 a list of subs', () => ({ sub: [userId] })),
    bad('B7 sub with a line feed', () => ({ sub: 'user_123\nadmin' })),
    bad('B7 sub with a bidi override', () => ({ sub: 'user\u202e_123' })),
    bad('B7 sub with a NUL', () => ({ sub: 'user_123\0' })),
    bad('B7 C5 sub with a space at its end', () => ({ sub: 'user_123 ' })),
    bad('B7 C5 sub that is not normalised', () => ({ sub: 'use\u0301r' })),
    bad('B7 a very long sub', () => ({ sub: 'u'.repeat(300) })),
    bad('B7 sub that is the client', () => ({ sub: 'client-1', client_id: 'client-1' }), 'token_delegation_invalid'),
    bad('B7 scope as a list', () => ({ scope: ['repo:read'] })),
    bad('B7 scope with a no-break space', () => ({ scope: 'repo:read\u00a0pr:write' })),
    bad('B7 scope with two spaces', () => ({ scope: 'repo:read  pr:write' })),
    bad('B7 an empty scope', () => ({ scope: '' })),
    bad('B8 cnf with an unknown member only', () => ({ cnf: { kid: 'x' } })),
    bad('B8 cnf that asks for mTLS', () => ({ cnf: { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' } })),
    bad('B8 cnf that asks for mTLS besides', () => ({ cnf: { jkt: reviewer.thumbprint, 'x5t#S256': 'x' } })),
    bad('B8 cnf as a string', () => ({ cnf: reviewer.thumbprint })),
    bad('B8 a jkt that is no thumbprint', () => ({ cnf: { jkt: 'x' } })),
    bad('B8 jkt and jwk that differ', () => ({ cnf: { jkt: reviewer.thumbprint, jwk: runner.publicJwk } })),
    bad('B8 cnf with a private key', () => ({ cnf: { jwk: { ...reviewer.publicJwk, d: 'AAAA' } } })),
    bad('B8 cnf.jkt of another key', () => ({ cnf: { jkt: runner.thumbprint } }), 'token_not_bound_to_agent'),
    bad('B8 cnf.jwk of another key', () => ({ cnf: { jwk: runner.publicJwk } }), 'token_not_bound_to_agent'),
  ]);

  it('B5 ours among several audiences', async () => {
    await api.accepts(await saying({ aud: ['https://mcp.acme.dev', api.audience] }), 200);
  });

  it('B7 a scope named twice counts once, one that the agent cannot have counts nothing', async () => {
    const { response } = await api.accepts(await saying({ scope: 'repo:read repo:read admin' }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ scope: ['repo:read'] });
  });

  it('B6 D13 a token that was good is refused once it has expired', async () => {
    let time = now();
    const timed = await api.variant({ start: { guard: { clock: () => time * 1000 } } });
    const token = await timed.token({ iat: time, exp: time + 30 });
    await timed.accepts(timed.signed({ token, now: time }), 200);
    time += 34;
    await timed.accepts(timed.signed({ token, now: time }), 200);
    time += 1;
    await timed.refuses(timed.signed({ token, now: time }), 401, 'token_expired');
  });

  it('the challenge says what is wrong with the token (RFC 6750), and nothing of the signature', async () => {
    const { response } = await api.refuses(
      await saying({ aud: 'https://other.example' }),
      401,
      'token_audience_mismatch',
    );
    expect(response.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", error_description="[^"]+"$/);
    expect(response.headers).not.toHaveProperty('accept-signature');
  });

  it('the challenge says what to sign (RFC 9421)', async () => {
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
      'A17 C4 a stranger with a genuine token',
      async () => api.signed({ key: stranger, token: await api.token() }),
      401,
      'key_unknown',
    ],
    [
      'B4 an unknown key and an untrusted token',
      async () => api.signed({ key: stranger, token: await api.token({}, {}, evilIssuer) }),
      401,
      'token_issuer_unknown',
    ],
    [
      'A18 a token added to another signature than ours',
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
