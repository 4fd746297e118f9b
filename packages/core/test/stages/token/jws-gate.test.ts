import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gateAccessToken, splitCompactJws } from '../../../src/stages/token/jws-gate.js';
import { claims, header, jws, newIssuerKey } from './tokens.js';

const key = newIssuerKey('Ed25519');
const good = jws(header, claims, key);
const [h, p, s] = good.split('.') as [string, string, string];

function codeOf(token: string): string {
  const gated = gateAccessToken(token);
  return gated.ok ? 'passed' : gated.code;
}

/** Each with something more or else in the text. */
const variants = (text: string): string[] => [
  `${text}=`,
  `${text}==`,
  ` ${text}`,
  `${text} `,
  `${text}\n`,
  `${text.slice(0, 5)} ${text.slice(5)}`,
  `${text}A`,
  `${text}\u0000`,
  `${text}é`,
];

const extra = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x${at}`, 1]));
const padded = (length: number): string => jws(header, { ...claims, x: 'x'.repeat(length) }, key);

describe('gateAccessToken', () => {
  it('passes a good token, read but not believed', () => {
    expect(gateAccessToken(good)).toEqual({ ok: true, token: { header: { alg: 'Ed25519' }, payload: claims } });
    expect(gateAccessToken(jws({ ...header, kid: 'k1' }, claims, key))).toMatchObject({
      token: { header: { kid: 'k1' } },
    });
  });

  it.each(['at+jwt', 'at+JWT', 'AT+jwt', 'application/at+jwt', 'Application/AT+JWT'])(
    'typ %s is an access token [B3]',
    (typ) => {
      expect(codeOf(jws({ ...header, typ }, claims, key))).toBe('passed');
    },
  );

  it.each([
    'JWT',
    'jwt',
    'dpop+jwt',
    'oauth-id-jag+jwt',
    'txntoken+jwt',
    'statuslist+jwt',
    'secevent+jwt',
    'wit+jwt',
    'logout+jwt',
    'delegation+jwt',
    'id+at+jwt',
    'at+jwt ',
    ' at+jwt',
    'at+jwt\n',
    'text/at+jwt',
    'at+jwtx',
    '',
    null,
    1,
    ['at+jwt'],
    undefined,
  ])('typ %j is none [B3]', (typ) => {
    expect(codeOf(jws({ ...header, typ }, claims, key))).toBe('token_invalid');
  });

  it.each([
    'none',
    'noNE',
    'None',
    '',
    'HS256',
    'HS384',
    'HS512',
    'Ed448',
    'ES256K',
    'RS1',
    'dir',
    'eddsa',
    '__proto__',
    'constructor',
    null,
    7,
    ['Ed25519'],
    undefined,
  ])('alg %j is refused [B1]', (alg) => {
    expect(codeOf(jws({ ...header, alg }, claims, key))).toBe('token_invalid');
    const unsigned = `${Buffer.from(JSON.stringify({ ...header, alg })).toString('base64url')}.${p}.`;
    expect(codeOf(unsigned)).toBe('token_malformed');
  });

  it.each([
    ['jwk', key.jwk],
    ['jku', 'https://evil.example/jwks'],
    ['x5u', 'https://evil.example/cert'],
    ['x5c', ['MIIB']],
    ['crit', ['exp']],
    ['crit', []],
    ['b64', false],
    ['b64', true],
    ['zip', 'DEF'],
    ['cty', 'JWT'],
    ['cty', 'jwt'],
    ['enc', 'A128GCM'],
    ['jwk', null],
  ])('header parameter %s is refused: %j [B2]', (name, value) => {
    expect(codeOf(jws({ ...header, [name]: value }, claims, key))).toBe('token_invalid');
  });

  it('a header of many members is malformed: nobody is known to have signed it [I2]', () => {
    expect(codeOf(jws({ ...header, ...extra(100) }, claims, key))).toBe('passed');
    expect(codeOf(jws({ ...header, ...extra(200) }, claims, key))).toBe('token_malformed');
  });

  it.each(['', 'x'.repeat(257), 'line\nbreak', 'n\u00f6', 7, null, ['k1'], {}])('kid %j is refused [B2]', (kid) => {
    expect(codeOf(jws({ ...header, kid }, claims, key))).toBe('token_malformed');
  });

  it.each(['../../../etc/passwd', "' OR 1=1 --", '.*', '__proto__'])('kid %j is only a name [B2]', (kid) => {
    expect(codeOf(jws({ ...header, kid }, claims, key))).toBe('passed');
  });

  it('anything but three parts is malformed [B2]', () => {
    for (const token of [
      '',
      '.',
      '..',
      '...',
      h,
      `${h}.${p}`,
      `${good}.`,
      `.${good}`,
      `${good}.${s}`,
      `${h}..${s}`,
      `${h}.${p}.`,
      `.${p}.${s}`,
    ]) {
      expect(codeOf(token)).toBe('token_malformed');
    }
    const jwe = `${h}.${s}.${s}.${p}.${s}`;
    expect(codeOf(jwe)).toBe('token_malformed');
    expect(codeOf(JSON.stringify({ protected: h, payload: p, signature: s }))).toBe('token_malformed');
  });

  it('every second spelling of the same bytes is malformed [B2]', () => {
    for (const part of [0, 1, 2]) {
      for (const variant of variants([h, p, s][part]!)) {
        const parts = [h, p, s];
        parts[part] = variant;
        const token = parts.join('.');
        // One more character that makes other whole bytes is another token, not another spelling.
        if (splitCompactJws(token) !== undefined) expect(variant).toMatch(/A$/);
        else expect(codeOf(token)).toBe('token_malformed');
      }
    }
    const withUnderscore = jws(header, { ...claims, x: '??????' }, key);
    expect(withUnderscore).toContain('Pz8_');
    expect(codeOf(withUnderscore)).toBe('passed');
    expect(codeOf(withUnderscore.replaceAll('-', '+').replaceAll('_', '/'))).toBe('token_malformed');
  });

  it('set unused bits are malformed [B2]', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // 64 bytes of signature leave four unused bits in the last character.
    const spellings = alphabet.split('').filter((last) => {
      const bytes = Buffer.from(s.slice(0, -1) + last, 'base64url');
      return bytes.equals(Buffer.from(s, 'base64url'));
    });
    expect(spellings).toHaveLength(16);
    expect(spellings.filter((last) => codeOf(`${h}.${p}.${s.slice(0, -1)}${last}`) === 'passed')).toEqual([s.at(-1)]);
  });

  it('a member that occurs twice is malformed, in header and payload, at any depth [B6]', () => {
    const payload = JSON.stringify(claims);
    expect(codeOf(jws('{"typ":"at+jwt","alg":"Ed25519","alg":"Ed25519"}', claims, key))).toBe('token_malformed');
    expect(codeOf(jws('{"alg":"none","typ":"at+jwt","\\u0061lg":"Ed25519"}', claims, key))).toBe('token_malformed');
    expect(codeOf(jws(header, payload.replace('"exp":', '"exp":1,"exp":'), key))).toBe('token_malformed');
    expect(codeOf(jws(header, payload.replace('{"sub":"agent-a"}', '{"sub":"agent-b","sub":"agent-a"}'), key))).toBe(
      'token_malformed',
    );
  });

  it.each(['[]', '"text"', '1', 'null', '', '{', '{}{}', '\ufeff{}'])(
    'header or payload %j is no JSON object',
    (text) => {
      expect(codeOf(jws(text === '' ? ' ' : text, claims, key))).toBe('token_malformed');
      expect(codeOf(jws(header, text === '' ? ' ' : text, key))).toBe('token_malformed');
    },
  );

  it('a megabyte of nesting is malformed before anything is parsed [C1]', () => {
    expect(codeOf(jws(header, `{"act":${'['.repeat(500_000)}${']'.repeat(500_000)}}`, key))).toBe('token_malformed');
    expect(codeOf(jws(header, `{"act":${'['.repeat(500)}${']'.repeat(500)}}`, key))).toBe('token_malformed');
  });

  it('a token has at most 16 KiB [B2]', () => {
    expect(codeOf(padded(11_000))).toBe('passed');
    expect(codeOf(padded(12_500))).toBe('token_malformed');
    expect(codeOf(padded(1_000_000))).toBe('token_malformed');
  });

  it('never throws', () => {
    const part = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
    );
    fc.assert(fc.property(fc.string(), (text) => typeof gateAccessToken(text).ok === 'boolean'));
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 5 }),
        (parts) => typeof gateAccessToken(parts.join('.')).ok === 'boolean',
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (extra, payload) => {
        const token = jws({ ...extra, ...header }, JSON.stringify(payload), key);
        expect(typeof gateAccessToken(token).ok).toBe('boolean');
      }),
    );
  });

  it('never quotes the token', () => {
    const marked = jws('{"alg":"Ed25519","typ":"secret-marker"', '{"secret-marker', key);
    expect(JSON.stringify(gateAccessToken(marked))).not.toContain('secret-marker');
  });
});
