import { createHash } from 'node:crypto';
import { FieldSection } from '@countersign/signature';
import { describe, expect, it, vi } from 'vitest';
import { type AcceptedProofs, carriesOurMark as carriesMark } from '../../../src/stages/traffic/traffic.js';

const token = (claims: object) =>
  `eyJhbGciOiJFZERTQSJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const delegated = token({ sub: 'user_123', act: { sub: 'agent-1' } });

/** The base64 of a session in JSON, with one letter of the payload as an escape. */
function inJson(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const escaped = String.raw`${header}.\u0065${payload.slice(1)}.${signature}`;
  return Buffer.from(`{"access_token":"${escaped}"}`).toString('base64url');
}

function inChunks(text: string, count: number): string {
  const length = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, i) => `t.${i}=${text.slice(i * length, (i + 1) * length)}`)
    .toReversed()
    .join('; ');
}

/** A token in two chunks, with another cookie between them. */
function decoyed(text: string, decoy: string): string {
  return `t.0=${text.slice(0, 50)}; ${decoy}; t.1=${text.slice(50)}`;
}

/** The base64 of a user name and a delegated token, with a character inserted that is not in the base64 alphabet. */
function skipped(character: string): string {
  const text = Buffer.from(`x:${delegated}`).toString('base64').replace(/=+$/, '');
  return `${text.slice(0, 1)}${character}${text.slice(1)}`;
}

/** Base64 in lines, as of MIME (RFC 2045 §6.8). */
function wrapped(text: string): string {
  return Buffer.from(text).toString('base64').replaceAll(/.{20}/g, '$&\r\n');
}

/** A cookie that may be the first chunk of many values, because others spell its name in every way. */
function inEverySpelling(value: string): string {
  const spellings = ['0', '.0', '-0', '_0'];
  const chunks = ['first', 'last'].flatMap((part) => spellings.map((chunk, at) => `a${chunk}=${part}${at}`));
  return `a=${value}; ${chunks.join('; ')}`;
}

/** Stands for an encrypted value. */
function encrypted(name: number): string {
  const parts = Array.from({ length: 30 }, (_, i) => createHash('sha512').update(`${name} ${i}`).digest('base64url'));
  return parts.join('');
}

function session(name: number): string {
  return base64({ id: name, t: token({ sub: 'user_123', name: 'Zoë', aud: ['a', 'b'] }) });
}

/** Cookies as a browser collects them: encrypted values, and sessions that hold a token of their user. */
function cookiesOfUser(): string {
  const sessions = Array.from({ length: 9 }, (_, name) => `s${name}x=${session(name)}`);
  return [1, 2, 3]
    .map((name) => `e${name}x=${encrypted(name)}`)
    .concat(sessions)
    .join('; ');
}

function escapedFields(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => [`x${i}`, `${i}%41${'aB'.repeat(20)}`]).flat();
}

function manyWords(count: number): string {
  return Array.from({ length: count }, (_, i) => `wordabcdef${i + 10_000}`).join('.');
}

/** The base64 of a user name and a delegated token, with `mark` before two characters that are hexadecimal digits, too. */
function withPercent(mark: string): string {
  const text = Buffer.from(`token:${delegated}`).toString('base64');
  const at = 24 + text.slice(24).search(/[0-9a-fA-F]{2}/);
  return `${text.slice(0, at)}${mark}${text.slice(at)}`;
}

/** A session with a delegated token, in base64 of which a part of the payload is spelled as `spell` says. */
function respelled(part: RegExp, spell: (found: string) => string): string {
  for (let user = 0; user < 50_000; user += 1) {
    const jti = createHash('sha256').update(`${user}`).digest('base64url');
    const text = base64({ t: token({ jti, act: { sub: 'agent-1' } }) });
    const at = 40 + text.slice(40, -24).search(part);
    if (at >= 40) return text.slice(0, at) + text.slice(at).replace(part, spell);
  }
  return expect.fail('no session has such a part');
}

/** A character of which Node's base64 decoder takes the low byte. */
function beyondByte(letter: string): string {
  return String.fromCharCode(0x100 + letter.charCodeAt(0));
}

/** A session of an application that escapes more than JSON requires. */
function escapedDots(jwt: string): string {
  return Buffer.from(JSON.stringify({ t: jwt }).replaceAll('.', '\\u002E')).toString('base64');
}

const ours: AcceptedProofs = { tags: ['countersign'], dpop: false };
const carriesOurMark = (target: string, rawHeaders: readonly string[], accepted = ours): boolean =>
  carriesMark({ target, rawHeaders, fields: new FieldSection(rawHeaders) }, accepted);

describe('carriesOurMark', () => {
  it.each<[string, string, readonly string[]]>([
    ['our tag', '/', ['Signature-Input', 'sig=();tag="countersign"']],
    ['our tag beside others', '/', ['signature-input', 'a=();tag="x", b=();tag="countersign"']],
    ['an Agent-* field', '/', ['AGENT-Approval', '']],
    ['a DPoP proof', '/', ['DPoP', 'x']],
    ['a token that names an actor', '/', ['Authorization', `Bearer ${delegated}`]],
    ['a token that is bound to a key', '/', ['Authorization', `Bearer ${token({ cnf: { jkt: 'x' } })}`]],
    ['a token without signature', '/', ['Authorization', `Bearer ${delegated.replace(/[^.]*$/, '')}`]],
    ['a token with padding', '/', ['Authorization', `Bearer ${delegated.replace(/\.([^.]*)$/, '==.$1')}`]],
    ['a token among other cookies', '/', ['Cookie', `a=b.c.d; session="${delegated}"; e=f`]],
    ['a token in the query', `/?a=b&access_token=${delegated}#`, []],
    ['a token at the end of the path', `/callback/${delegated}`, []],
    ['a token whose dots are escaped', `/?access_token=${delegated.replaceAll('.', '%2E')}`, []],
    [
      'a token with every character escaped',
      `/?t=${delegated.replaceAll(/./g, (char) => `%${char.charCodeAt(0).toString(16)}`)}`,
      [],
    ],
    [
      'a token in a password',
      '/',
      ['Authorization', `Basic ${Buffer.from(`x-access-token:${delegated}`).toString('base64')}`],
    ],
    ['a token encoded whole in base64 [A17]', '/', ['X-Token', `v1.${Buffer.from(delegated).toString('base64url')}`]],
    [
      'a token encoded in base64 with its scheme [A17]',
      '/',
      ['X-Token', Buffer.from(`Bearer ${delegated}`).toString('base64')],
    ],
    [
      'a token in a session in a password [A17]',
      '/',
      ['Authorization', `Basic ${Buffer.from(`ü:${base64({ t: delegated })}`).toString('base64')}`],
    ],
    [
      'a token in a password with a character that decoders skip [A17]',
      '/',
      ['Authorization', `Basic ${skipped('~')}`],
    ],
    ['a token in a session with a character that decoders skip [A17]', '/', ['Cookie', `s=${skipped('!')}; a=b`]],
    ['a token in the query with a space in its base64 [A17]', `/?s=${skipped('+')}`, []],
    ['a token in the query with an escaped line end in its base64 [A17]', `/?s=${skipped('%0A')}`, []],
    ['a token encoded in base64 in the path [A17]', `/magic/${Buffer.from(delegated).toString('base64url')}`, []],
    [
      'a token encoded in base64 after a prefix [A17]',
      '/',
      ['Cookie', `sid=v1-${Buffer.from(delegated).toString('base64url')}`],
    ],
    ...['t.00=A', 't-0=A', 't.0=A', 't=A'].flatMap((decoy): [string, string, string[]][] => [
      [`a chunked token with the decoy ${decoy} between [A17]`, '/', ['Cookie', decoyed(delegated, decoy)]],
      [`a chunked token after the decoy ${decoy} [A17]`, '/', ['Cookie', `${decoy}; ${inChunks(delegated, 2)}`]],
    ]),
    ['a token whose signature is in another cookie', '/', ['Cookie', `hp=${delegated.replace(/\.[^.]*$/, '')}; s=x`]],
    [
      'a token in chunks of a cookie [A17]',
      '/',
      ['Cookie', `t.1=${delegated.slice(50)}; x=y; t.0=${delegated.slice(0, 50)}`],
    ],
    [
      'a token in chunks on two field lines [A17]',
      '/',
      ['Cookie', `t=${delegated.slice(0, 50)}`, 'Cookie', `t-1=${delegated.slice(50)}`],
    ],
    ...[0.3, 0.5, 0.7].map((part): [string, string, string[]] => {
      const session = base64({ access_token: delegated });
      const at = Math.floor(session.length * part);
      const lines = ['X-Session', session.slice(0, at), 'Accept', 'text/html', 'x-session', session.slice(at)];
      return [`a token in a base64 session on two field lines, cut at ${part} [A17]`, '/', lines];
    }),
    ['a token in eleven chunks', '/', ['Cookie', inChunks(delegated, 11)]],
    ['a token in a session in base64', '/', ['Cookie', `sess=${base64({ access_token: delegated })}`]],
    [
      'a token in a base64 session with a prefix [A17]',
      '/',
      ['Cookie', `sess=base64-${base64({ user: {}, t: [delegated] })}`],
    ],
    [
      'a token in a base64 session with a prefix, in base64 [A17]',
      '/',
      ['Cookie', `sess=${Buffer.from(`base64-${base64({ user: {}, t: [delegated] })}`).toString('base64')}`],
    ],
    ['a token in a list in base64', '/', ['Cookie', `sess=${base64([delegated, null])}`]],
    [
      'a token with an escape of JSON in a base64 session with a prefix [A17]',
      '/',
      ['Cookie', `theme=dark; sb-ref-auth-token=base64-${inJson(delegated)}`],
    ],
    [
      'a token with escapes of JSON within JSON [A17]',
      '/',
      ['Cookie', `state=${JSON.stringify(JSON.stringify({ token: delegated }).replaceAll('e', String.raw`\u0065`))}`],
    ],
    ['the same in chunks [A17]', '/', ['Cookie', inChunks(`base64-${inJson(delegated)}`, 3)]],
    ['a token in a chunked base64 session', '/', ['Cookie', inChunks(`base64-${base64({ t: delegated })}`, 3)]],
    ['a token in a session, with escaped dots', '/', ['Cookie', `s=${escapedDots(delegated)}`]],
    [
      'a token in three cookies [A17]',
      '/',
      [
        'Cookie',
        delegated
          .split('.')
          .map((part, i) => `${'hps'[i]}=${part}`)
          .join('; '),
      ],
    ],
    ['a token that is escaped twice', '/', ['Cookie', `t=${encodeURIComponent(encodeURIComponent(`"${delegated}"`))}`]],
    ['a token whose dots are escaped twice', `/?t=${delegated.replaceAll('.', '%252e')}`, []],
    ['claims outside a token', '/', ['Cookie', `state=${base64({ act: 1 })}`]],
    [
      'a token in a layer within another, with a line end that decoders skip',
      '/',
      ['X-Token', Buffer.from(wrapped(delegated)).toString('base64')],
    ],
    [
      'a token in base64 with a character that decoders skip, after another cookie',
      '/',
      ['Cookie', `theme=dark; language=de-CH; s=${skipped('!')}`],
    ],
    [
      'a token in base64 after a long path',
      `/api/v1/sessions/by/link/${Buffer.from(delegated).toString('base64url')}`,
      [],
    ],
    ...['session_', 's_', 'v1-', 'base64-'].map((prefix): [string, string, string[]] => [
      `claims after the prefix ${prefix}`,
      '/',
      ['Cookie', `s=${prefix}${base64({ act: 1 })}`],
    ]),
    ...[
      ['a control character (DEL)', base64({ n: `${'x'.repeat(20)}\x7f`, t: delegated })],
      ['bytes of any kind', Buffer.from(`${'x'.repeat(20)}\0\x01:${delegated}`).toString('base64')],
      ['characters that decoders skip', Buffer.from(`x:${delegated}`).toString('base64').replaceAll(/.{7}/g, '$&!')],
      ['a prefix that is base64 itself', `base64-${base64({ t: delegated })}`],
    ].flatMap(([what, inner]): [string, string, string[]][] => [
      [`a session within a session, with ${what}`, '/', ['X-Session', base64({ n: 'Zoë', t: inner })]],
      [
        `a session in a password, with ${what}`,
        '/',
        ['Authorization', `Basic ${Buffer.from(`token:${inner}`).toString('base64')}`],
      ],
      [
        `a session within base64, with ${what}`,
        '/',
        ['X-Session', `v1.${Buffer.from(inner ?? '').toString('base64')}`],
      ],
    ]),
    ['base64 with a `%` that decoders skip, in a password', '/', ['Authorization', `Basic ${withPercent('%')}`]],
    ['base64 with a `%` that decoders skip, in a cookie', '/', ['Cookie', `theme=dark; s=${withPercent('%')}`]],
    ['base64 with a `%` that decoders skip, in a query', `/?session=${withPercent('%25')}`, []],
    ['base64 with a `%` before what looks like padding', '/', ['X-Session', respelled(/3D/i, (found) => `%${found},`)]],
    [
      'base64 with a backslash before what looks like an escape',
      '/',
      ['X-Session', respelled(/u[0-9a-fA-F]{4}/, (found) => `\\${found}`)],
    ],
    [
      'base64 with such a backslash, percent-encoded, in a query',
      `/?s=${respelled(/u[0-9a-fA-F]{4}/, (found) => `%5c${found}`)}`,
      [],
    ],
    [
      'base64 with a letter of which decoders take the low byte, in a cookie',
      '/',
      ['Cookie', `theme=dark; s=${encodeURIComponent(respelled(/[A-Z]/, beyondByte))}`],
    ],
    [
      'base64 with such a letter as an escape of JSON, in a cookie',
      '/',
      ['Cookie', `s=${encodeURIComponent(`{"s":"${respelled(/Y/, () => String.raw`\u0159`)}"}`)}`],
    ],
    [
      'base64 with a `%` that is escaped twice, with its digits',
      `/?s=${respelled(/[89A-F][0-9A-F]/, (found) => `%25%${found.charCodeAt(0).toString(16)}${found.slice(1)}`)}`,
      [],
    ],
    ['base64 in lines, in JSON', '/', ['X-Session', JSON.stringify({ s: wrapped(`x:${delegated}`) })]],
    [
      'base64 in lines, in JSON within base64',
      '/',
      ['Cookie', `theme=dark; s=${base64({ s: wrapped(`x:${delegated}`) })}`],
    ],
    [
      'base64 with such a letter in UTF-8',
      '/',
      ['X-Session', Buffer.from(respelled(/[A-Z]/, beyondByte)).toString('latin1')],
    ],
    ['claims after the path', `/p/${base64({ sub: 'u', act: 1 })}`, []],
    ['claims in the middle of a path', `/u/${base64({ sub: 'u', act: 1 })}/orders`, []],
    ['claims in a cookie with a digest behind them', '/', ['Cookie', `s=${base64({ act: 1 })}--0a1b2c`]],
    [
      'claims that start with white space',
      '/',
      ['Authorization', `x.${Buffer.from(' {"act":1}').toString('base64')}.y`],
    ],
  ])('finds a mark in %s [A17]', (_title, target, rawHeaders) => {
    expect(carriesOurMark(target, rawHeaders)).toBe(true);
  });

  it.each<[string, string, readonly string[]]>([
    ['a signature of a webhook', '/', ['signature-input', 'sig=();tag="countersign-webhook"']],
    ['nothing', '/', []],
    ["a user's own token", '/', ['Authorization', `Bearer ${token({ sub: 'user_123', may_act: { sub: 'a' } })}`]],
    ['another tag', '/', ['Signature-Input', 'sig=();tag="web-bot-auth"']],
    ['act inside another claim', '/', ['Authorization', `Bearer ${token({ data: { act: 1 } })}`]],
    [
      'a session of a user',
      '/',
      ['Cookie', `sess=${base64({ access_token: token({ sub: 'user_123' }), act_now: 1 })}`],
    ],
    ['a chunked token of a user', '/', ['Cookie', inChunks(token({ sub: 'user_123', name: 'x'.repeat(99) }), 4)]],
    ['broken escapes and broken JSON', '/%zz%', ['X', `a.${Buffer.from('{"act"').toString('base64')}.b`]],
    ['a User-Agent', '/v1.2.3/x', ['User-Agent', 'curl/8.5.0']],
  ])('finds no mark in %s', (_title, target, rawHeaders) => {
    expect(carriesOurMark(target, rawHeaders)).toBe(false);
  });

  it.each<[string, readonly string[]]>([
    ['a signature of Web Bot Auth', ['Signature-Input', 'sig=();tag="web-bot-auth"']],
    ['an opaque token of scheme DPoP', ['authorization', 'dpop opaque']],
  ])('finds a mark in %s where the guard accepts it [A17]', (_title, rawHeaders) => {
    const accepted = { tags: ['countersign', 'web-bot-auth'], dpop: true };
    expect(carriesOurMark('/', rawHeaders, accepted)).toBe(true);
    expect(carriesOurMark('/', rawHeaders)).toBe(false);
  });

  it('takes more than 64 JSON objects for a mark, without parsing them all [A16]', () => {
    const cookies = Array.from({ length: 65 }, (_, i) => `c${i}x=${base64({ id: i + 100 })}`);
    expect(carriesOurMark('/', ['Cookie', cookies.slice(1).join('; ')])).toBe(false);
    expect(carriesOurMark('/', ['Cookie', cookies.join('; ')])).toBe(true);
  });

  it('finds no mark in the many cookies of a user', () => {
    expect(cookiesOfUser().length).toBeGreaterThan(8000);
    expect(carriesOurMark('/', ['Cookie', cookiesOfUser()])).toBe(false);
  });

  it('takes a cookie that may be a part of many values for a mark [A16, I2]', () => {
    expect(carriesOurMark('/', ['Cookie', inEverySpelling('x'.repeat(20))])).toBe(false);
    expect(carriesOurMark('/', ['Cookie', inEverySpelling('x'.repeat(4000))])).toBe(true);
  });

  it('takes more than 24 chunked cookies for a mark [A16, I2]', () => {
    const chunks = Array.from({ length: 25 }, (_, at) => `c${at}x.0=a; c${at}x.1=b`);
    expect(carriesOurMark('/', ['Cookie', chunks.slice(1).join('; ')])).toBe(false);
    expect(carriesOurMark('/', ['Cookie', chunks.join('; ')])).toBe(true);
  });

  it.each([
    ['encrypted', encrypted(1).repeat(5)],
    [
      'in base64',
      `base64-${base64({ access_token: token({ sub: 'u', x: 'x'.repeat(2000) }), user: 'x '.repeat(2500) })}`,
    ],
  ])('finds no mark in a long session in chunks that is %s', (_title, session) => {
    expect(session.length).toBeGreaterThan(8000);
    expect(carriesOurMark('/', ['Cookie', inChunks(session, 4)])).toBe(false);
  });

  it('takes more words than it decodes for a mark [A16, I2]', () => {
    expect(carriesOurMark('/', ['Cookie', manyWords(1000)])).toBe(false);
    expect(carriesOurMark('/', ['Cookie', manyWords(1100)])).toBe(true);
  });

  it('takes no session of 10 kB in several cookies for a mark, also beside a cookie with an escape', () => {
    // As an encrypted one: of no pattern, and the same in each run.
    const session = Array.from({ length: 120 }, (_, at) => createHash('sha512').update(`${at}`).digest('base64url'));
    const chunks = [session.slice(0, 45), session.slice(45, 90), session.slice(90)];
    const cookies = chunks.map((chunk, at) => `__Secure-session.${at}=${chunk.join('')}`);
    expect(carriesOurMark('/', ['Cookie', [...cookies, 'consent=%7B%22a%22%3A1%7D'].join('; ')])).toBe(false);
  });

  it('takes no 90 long cookies for a mark, also in lines of their own, as over HTTP/2', () => {
    const cookies = Array.from({ length: 90 }, (_, at) => `_ga_${at}=GS1.1.1732700000.12.1.1732700999.60.0.${at}%3A1`);
    expect(carriesOurMark('/', ['Cookie', cookies.join('; ')])).toBe(false);
    expect(
      carriesOurMark(
        '/',
        cookies.flatMap((cookie) => ['cookie', cookie]),
      ),
    ).toBe(false);
  });

  it('takes more fields and readings of fields than it decodes for a mark [A16, I2]', () => {
    expect(carriesOurMark('/', escapedFields(31))).toBe(false);
    expect(carriesOurMark('/', escapedFields(34))).toBe(true);
  });

  it('takes more escapes within base64 than it decodes for a mark [A16, I2]', () => {
    const escaped = Buffer.from('%41'.repeat(30)).toString('base64');
    expect(carriesOurMark('/', ['X', Array.from({ length: 64 }, () => escaped).join(',')])).toBe(false);
    expect(carriesOurMark('/', ['X', Array.from({ length: 65 }, () => escaped).join(',')])).toBe(true);
  });

  it('takes a header section larger than the guard reads for a mark [A16]', () => {
    expect(carriesOurMark('/', ['x', ','.repeat(32_700)])).toBe(false);
    expect(carriesOurMark('/', ['x', ','.repeat(32_800)])).toBe(true);
  });

  it('parses no text that is too short or not an object [A16]', () => {
    const parse = vi.spyOn(JSON, 'parse');
    for (const part of [
      'ew.',
      'e30.',
      'eyJ.',
      `${base64('x'.repeat(12))}.`,
      `${Buffer.from('{"act":1').toString('base64url')}.`,
    ]) {
      expect(carriesOurMark('/', ['Cookie', part.repeat(6000 / part.length)])).toBe(false);
    }
    expect(parse).not.toHaveBeenCalled();
  });

  it('decodes at most 160,000 characters for any request [A16, I2]', () => {
    const decode = vi.spyOn(Buffer, 'from');
    const texts = ['a', 'V', 'a.', '%', '%25', '{', '-', '.1=', 'eyJ', '\\u', Buffer.from('%25').toString('base64')];
    for (const text of texts) {
      const long = text.repeat(13_000 / text.length);
      for (const request of [long, `.${long}.`, inEverySpelling(long)]) {
        decode.mockClear();
        carriesOurMark(request, ['cookie', request]);
        const decoded = decode.mock.calls.reduce(
          (sum, [given, encoding]: unknown[]) => sum + (encoding === 'base64' ? String(given).length : 0),
          0,
        );
        expect(decoded).toBeLessThanOrEqual(160_000);
      }
    }
  });

  it('takes a cookie whose name is longer than 256 characters for a mark [A16, I2]', () => {
    expect(carriesOurMark('/', ['cookie', `${'a'.repeat(256)}=v`])).toBe(false);
    expect(carriesOurMark('/', ['cookie', `${'1'.repeat(256)}x=v`])).toBe(true);
  });

  it('takes more than 256 cookies for a mark', () => {
    expect(carriesOurMark('/', ['cookie', Array.from({ length: 256 }, (_, at) => `c${at}x=v`).join('; ')])).toBe(false);
    expect(carriesOurMark('/', ['cookie', '1;'.repeat(256)])).toBe(true);
  });
});
