import { createHmac } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { generateAgentKey } from '@countersign/agent';
import { refusalCodes } from '@countersign/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hintFor } from '../../src/hints/index.js';
import { nowSeconds, runCli } from '../run-cli.js';

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function jwt(payload: object, header: object = { typ: 'at+jwt', alg: 'Ed25519', kid: 'k1' }): string {
  return `${encode(header)}.${encode(payload)}.c2ln`;
}

const claims = {
  iss: 'https://id.acme.dev',
  sub: 'user_123',
  aud: 'https://api.acme.dev',
  scope: 'pr:write:draft',
  iat: nowSeconds - 120,
  exp: nowSeconds + 180,
  jti: 'token-1',
  client_id: 'agent-console',
  act: { sub: 'agent-code-reviewer-01' },
  cnf: { jkt: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' },
};

async function explain(value: string, expected = 0): Promise<string> {
  const { code, out, err } = await runCli(['inspect', value]);
  expect({ code, err }).toEqual({ code: expected, err: '' });
  return out;
}

describe('inspect: a token', () => {
  it('shows actor, subject and lifetime, and that nothing was verified', async () => {
    const out = await explain(jwt(claims));
    expect(out).toContain('signature was NOT verified');
    expect(out).toMatch(/subject +user_123\n/);
    expect(out).toMatch(/actor +agent-code-reviewer-01 /);
    expect(out).toContain('2026-11-24T11:58:00Z (2 minutes ago)');
    expect(out).toContain('2026-11-24T12:03:00Z (in 3 minutes)');
    expect(out).toMatch(/lifetime +5 minutes/);
    expect(out).toMatch(/the key +kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k/);
    expect(out).not.toContain('warnings');
  });

  it('accepts a token with its scheme and from standard input', async () => {
    expect(await explain(`Authorization: Bearer ${jwt(claims)}`)).toBe(await explain(jwt(claims)));
    const { code, out } = await runCli(['inspect'], { input: `${jwt(claims)}\n` });
    expect({ code, out }).toEqual({ code: 0, out: await explain(jwt(claims)) });
  });

  it('shows earlier actors as history, in the order of the chain', async () => {
    const out = await explain(
      jwt({ ...claims, act: { sub: 'agent-c', act: { sub: 'agent-b', act: { sub: 'agent-a' } } } }),
    );
    const names = [...out.matchAll(/^ {2}(?:subject|earlier actor|actor) +(\S+)/gm)].map((match) => match[1]);
    expect(names).toEqual(['user_123', 'agent-a', 'agent-b', 'agent-c']);
  });

  it.each<[string, object, object | undefined, RegExp]>([
    ['expired', { ...claims, exp: nowSeconds }, undefined, /It has expired/],
    ['not valid yet [B6]', { ...claims, nbf: nowSeconds + 6 }, undefined, /not valid yet/],
    ['issued in the future', { ...claims, iat: nowSeconds + 9 }, undefined, /issued in the future/],
    ['not signed [B1]', claims, { typ: 'at+jwt', alg: 'none' }, /not signed at all/],
    ['shared secret [B1]', claims, { typ: 'at+jwt', alg: 'HS256' }, /shared secret/],
    ['a key of its own [B2]', claims, { typ: 'at+jwt', alg: 'ES256', jku: 'https://x' }, /header has jku/],
    ['another kind [B3]', claims, { typ: 'JWT', alg: 'ES256' }, /typ is not at\+jwt/],
    ['malformed actor [C1]', { ...claims, act: 'agent-a' }, undefined, /refuses its claims: actor_malformed/],
    ['times in text', { ...claims, exp: 'tomorrow' }, undefined, /tomorrow \(not a time in seconds\)/],
    ['a second too long [B6]', { ...claims, exp: claims.iat + 3601 }, undefined, /It was issued for too long a time/],
    [
      'too long, since nobody knows when [B6]',
      { ...claims, iat: undefined, exp: nowSeconds + 3601 },
      undefined,
      /3600/,
    ],
  ])('warns, and exits with 3: %s', async (_name, payload, header, warning) => {
    expect(await explain(jwt(payload, header), 3)).toMatch(warning);
    const { code, out } = await runCli(['inspect', '--json', jwt(payload, header)]);
    expect({ code, json: JSON.parse(out) as object }).toMatchObject({ code: 3, json: { ok: false } });
  });

  it('reports no problem when clocks differ by the default tolerance of a guard', async () => {
    const early = { ...claims, iat: nowSeconds + 5, nbf: nowSeconds + 5 };
    expect(await explain(jwt(early))).not.toContain('warnings');
  });

  it('reports no problem when the lifetime is the default maximum of a guard', async () => {
    expect(await explain(jwt({ ...claims, exp: claims.iat + 3600 }))).not.toContain('warnings');
  });

  it("warns that an agent is refused with a user's own token [C1]", async () => {
    const { act: _, ...plain } = claims;
    const out = await explain(jwt(plain));
    expect(out).toMatch(/names no actor: only an agent with the id user_123 may use it/);
    expect(out).toMatch(/user_123 {2}\(acts itself: the token names no actor\)/);
    expect(await explain(jwt({ ...plain, sub: plain.client_id }))).not.toContain('warnings');
  });

  it('reports a token that names nobody', async () => {
    const out = await explain(jwt({ jti: '1' }), 3);
    expect(out).toMatch(/subject +\(none\)/);
    expect(out).not.toMatch(/undefined|only an agent with the id/);
    expect(await explain(jwt({ act: { sub: 'agent-a' } }), 3)).not.toContain('undefined');
  });

  it('does not show may_act as an actor [C3]', async () => {
    const { act: _, ...plain } = claims;
    expect(await explain(jwt({ ...plain, may_act: { sub: 'agent-b' } }))).toMatch(/names no actor/);
  });

  it('escapes control characters [F1]', async () => {
    const out = await explain(jwt({ ...claims, sub: 'a\u001b[2J\u202e\nb', '\u001bx': { y: '\u2028' } }), 3);
    for (const character of ['\u001b', '\u202e', '\u2028']) expect(out).not.toContain(character);
    expect(out).toContain('a\\u{1b}[2J\\u{202e}\\u{a}b');
  });

  it('reports a token that does not parse', async () => {
    expect(await runCli(['inspect', 'YQ.YQ.YQ'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('not JSON') as string,
    });
    expect(await runCli(['inspect', 'a.b.c.d.e'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('JWE') as string,
    });
  });
});

describe('inspect: Signature-Input', () => {
  const good = `("@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization");created=${nowSeconds - 5};expires=${nowSeconds + 55};nonce="AAAAAAAAAAAAAAAAAAAAAA";keyid="k";tag="countersign"`;

  it('explains each component and parameter, and reports no problem when all are valid', async () => {
    const out = await explain(`sig=${good}`);
    expect(out).toMatch(/"@method" +the method/);
    expect(out).toMatch(/"content-digest" +the hash of the body/);
    expect(out).toMatch(/created +2026-11-24T11:59:55Z \(5 seconds ago\)/);
    expect(out).toMatch(/expires +2026-11-24T12:00:55Z \(in 55 seconds\)/);
    expect(out).not.toContain('warnings');
    expect(out).not.toContain('does not cover');
    expect(await explain(`Signature-Input: sig=${good}`)).toBe(out);
  });

  it.each<[string, string, RegExp]>([
    [
      'an empty list [A1]',
      `sig=();created=${nowSeconds};keyid="k"`,
      /@method is not covered[^]*@authority, @path, @query not covered/,
    ],
    ['no authority [A2]', `sig=${good.replace('"@authority" ', '')}`, /@authority not covered/],
    ['no query [A3]', `sig=${good.replace('"@query" ', '')}`, /@query not covered/],
    ['no digest [A4]', `sig=${good.replace('"content-digest" ', '')}`, /does not cover[^]*content-digest +so no body/],
    [
      'part of the digest [A4]',
      `sig=${good.replace('-digest"', '-digest";key="sha-256"')}`,
      /content-digest +so no body/,
    ],
    ['no credential [A18]', `sig=${good.replace(' "authorization"', '')}`, /authorization +so no token/],
    ['an unknown component [A6]', `sig=("@verb");created=${nowSeconds}`, /unknown: a verifier refuses it/],
    ['two with our tag [A7]', `a=${good}, b=${good}`, /More than one signature has the tag/],
    ['expired [A9]', `sig=${good.replace(/expires=\d+/, `expires=${nowSeconds}`)}`, /It has expired/],
    ['too old [A9]', `sig=${good.replace(/created=\d+;expires=\d+/, 'created=1')}`, /older than 60 seconds/],
    ['from the future [A9]', `sig=${good.replace(/created=\d+/, `created=${nowSeconds + 60}`)}`, /in the future/],
    ['created in text [A9]', `sig=${good.replace(/created=\d+/, 'created="1"')}`, /created is not an integer/],
    ['no nonce [A10]', `sig=${good.replace(/nonce="A+";/, '')}`, /nonce is missing/],
    ['a short nonce [A10]', `sig=${good.replace(/nonce="A+"/, 'nonce="1"')}`, /nonce is short/],
    ['another profile [A12]', `sig=${good.replace('="countersign"', '="web-bot-auth"')}`, /another profile/],
  ])('warns: %s', async (name, value, warning) => {
    expect(await explain(value, name.endsWith('[A9]') ? 3 : 0)).toMatch(warning);
  });

  it('accepts @target-uri in place of its parts', async () => {
    expect(await explain(`sig=${good.replace('"@authority" "@path" "@query"', '"@target-uri"')}`)).not.toContain(
      'warnings',
    );
  });

  it('reports why it does not parse', async () => {
    const { code, err } = await runCli(['inspect', 'sig=("@method";created=1']);
    expect(code).toBe(2);
    expect(err).toContain('malformed');
  });
});

describe('inspect: a refusal', () => {
  it.each(refusalCodes)('has a hint for %s', async (code) => {
    const out = await explain(
      JSON.stringify({
        type: `https://countersign.github.io/countersign/refusals/${code}`,
        title: 't',
        status: 400,
        code,
      }),
    );
    expect(out).toContain(`Refusal: ${code}`);
    expect(hintFor(code)?.length).toBeGreaterThan(20);
    expect(out).toContain(hintFor(code));
  });

  it('distinguishes a lifetime that is too long from an expired one [B6]', () => {
    expect(hintFor('token_invalid')).toContain('too long a time');
    expect(hintFor('token_expired')).not.toContain('too long');
  });

  it('knows its own codes only', async () => {
    expect(hintFor('toString')).toBeUndefined();
    expect(hintFor(5)).toBeUndefined();
    expect(await explain('{"type":"about:blank","title":"Teapot","status":418}')).toMatch(
      /not a refusal code of Countersign/,
    );
  });
});

describe('inspect: keys and agents.json', () => {
  const key = generateAgentKey();
  const secrets = [
    key.exportJwk().d,
    Buffer.from(key.exportSecretKey()).toString('base64'),
    key.exportPem().split('\n')[1] ?? '',
  ];

  it.each([
    ['a JWK', JSON.stringify(key.exportJwk())],
    ['a PEM', key.exportPem()],
    ['a nacl secretKey', secrets[1] ?? ''],
  ])('warns of a private key and never repeats it: %s', async (_name, text) => {
    const out = await explain(text);
    expect(out).toContain('PRIVATE key');
    expect(out).toContain(key.thumbprint);
    for (const secret of secrets) expect(out).not.toContain(secret);
  });

  it('shows the thumbprint of a public key in every spelling', async () => {
    const jwks = { keys: [{ ...key.publicJwk, agent_id: 'agent-a', capabilities: ['repo:read'] }] };
    const entry = key.registration('agent-a', ['repo:read']);
    const named = { id: 'agent-a', keys: [{ publicKey: key.publicKey, expires: 1 }], capabilities: ['repo:read'] };
    const spellings = [key.publicJwk, entry, [entry], { agents: [entry] }, named, jwks].map((json) =>
      JSON.stringify(json),
    );
    for (const text of [...spellings, key.publicKey]) expect(await explain(text)).toContain(key.thumbprint);
    expect(await explain(JSON.stringify(entry))).not.toContain('warnings');
    expect(await explain(JSON.stringify(jwks))).not.toContain('warnings');
  });

  const testKey = { kty: 'OKP', crv: 'Ed25519', x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' };
  const other = generateAgentKey();
  it.each<[string, unknown, RegExp]>([
    ['the RFC 9421 test key [A11]', testKey, /test key of RFC 9421/],
    [
      'a weak key [A15]',
      { agent_id: 'a', public_key: Buffer.alloc(32).toString('base64'), capabilities: ['x'] },
      /key is weak/,
    ],
    ['a short key', { agent_id: 'a', public_key: 'AAAA', capabilities: ['x'] }, /not 32 bytes/],
    ['another kind of key', { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }, /must be Ed25519/],
    ['an RSA key', { kty: 'RSA', n: 'AQAB' }, /must be Ed25519/],
    ['no key', { agent_id: 'a', capabilities: ['x'] }, /There is no key/],
    ['no id', { public_key: key.publicKey, capabilities: ['x'] }, /has no id/],
    ['no capabilities', { id: 'a', publicKey: key.publicKey }, /may do nothing/],
    [
      'scopes in one text',
      { id: 'a', publicKey: key.publicKey, capabilities: ['repo:read pr:write'] },
      /is not a scope/,
    ],
    ['capabilities in text', { id: 'a', publicKey: key.publicKey, capabilities: 'repo:read' }, /not a list/],
    ['a private key in an entry', { id: 'a', jwk: other.exportJwk(), capabilities: ['x'] }, /private part/],
    [
      'one key for two agents [A11]',
      [key.registration('a', ['x']), key.registration('b', ['x'])],
      /belongs to one agent/,
    ],
    ['one id twice', [key.registration('a', ['x']), other.registration('a', ['x'])], /id a is there twice/],
    ['an entry that is none', [null, 5], /not an entry/],
  ])('warns: %s', async (_name, json, warning) => {
    const out = await explain(JSON.stringify(json));
    expect(out).toMatch(warning);
    expect(out).not.toContain(other.exportJwk().d);
  });
});

describe('inspect: anything else', () => {
  it('lists the kinds of values that it detects', async () => {
    const { err } = await runCli(['inspect', 'hello']);
    for (const kind of ['JWT', 'bundle', 'request', 'Signature-Input', 'refusal', 'key', 'agents.json']) {
      expect(err).toContain(kind);
    }
  });

  it('explains how to read a file when its name was given', async () => {
    const name = fileURLToPath(import.meta.url);
    const { code, err } = await runCli(['inspect', name]);
    expect(code).toBe(2);
    expect(err).toContain(`Did you mean countersign inspect - < ${name}?`);
    expect((await runCli(['inspect', 'no-such.json'])).err).toContain('To read a file: countersign inspect - < FILE');
  });

  const hmac = createHmac('sha256', 'x').update('y').digest('hex');
  it.each(['hello', '{}', '{"a":1}', '{', '[]', '-----BEGIN X-----', hmac, ' '])(
    'is refused with 2: %s',
    async (value) => {
      const { code, out, err } = await runCli(['inspect', value]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/^countersign: .+\n$/);
      // It may be a mistyped secret.
      expect(err).not.toContain(hmac);
    },
  );

  it('never throws', async () => {
    const shape = fc.oneof(
      fc.string(),
      fc.json(),
      fc.string().map((text) => `sig=(${text})`),
      fc
        .tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.object())
        .map(([header, payload]) => jwt(payload, header)),
      fc
        .record({
          agent_id: fc.jsonValue(),
          public_key: fc.jsonValue(),
          keys: fc.jsonValue(),
          capabilities: fc.jsonValue(),
        })
        .map((json) => JSON.stringify(json)),
      fc
        .record({ kty: fc.constantFrom('OKP', 'EC'), crv: fc.constant('Ed25519'), x: fc.jsonValue() })
        .map((json) => JSON.stringify(json)),
    );
    await fc.assert(
      fc.asyncProperty(shape, async (value) => {
        const { code, out, err } = await runCli(['inspect', '-'], { input: value });
        expect([0, 2, 3]).toContain(code);
        expect(err).not.toMatch(/TypeError|Cannot read|is not a function| {4}at /);
        // eslint-disable-next-line no-control-regex -- their absence is the point
        expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
      }),
      { numRuns: 300 },
    );
  });
});
