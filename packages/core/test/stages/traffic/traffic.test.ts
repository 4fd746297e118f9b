import { FieldSection } from '@countersign/signature';
import { describe, expect, it, vi } from 'vitest';
import { type AcceptedProofs, carriesOurMark as carriesMark } from '../../../src/stages/traffic/traffic.js';

const token = (claims: object) =>
  `eyJhbGciOiJFZERTQSJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const delegated = token({ sub: 'user_123', act: { sub: 'agent-1' } });

function inChunks(text: string, count: number): string {
  const length = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, i) => `t.${i}=${text.slice(i * length, (i + 1) * length)}`)
    .toReversed()
    .join('; ');
}

/** With something else between its two chunks. */
function decoyed(text: string, decoy: string): string {
  return `t.0=${text.slice(0, 50)}; ${decoy}; t.1=${text.slice(50)}`;
}

/** The base64 of a user name and a delegated token, with a character in it that is none of base64. */
function skipped(character: string): string {
  const text = Buffer.from(`x:${delegated}`).toString('base64').replace(/=+$/, '');
  return `${text.slice(0, 1)}${character}${text.slice(1)}`;
}

/** The session of an application that escapes more than JSON asks for. */
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
    ['one that is bound to a key', '/', ['Authorization', `Bearer ${token({ cnf: { jkt: 'x' } })}`]],
    ['one without signature', '/', ['Authorization', `Bearer ${delegated.replace(/[^.]*$/, '')}`]],
    ['one with padding', '/', ['Authorization', `Bearer ${delegated.replace(/\.([^.]*)$/, '==.$1')}`]],
    ['one among other words', '/', ['Cookie', `a=b.c.d; session="${delegated}"; e=f`]],
    ['one in the query', `/?a=b&access_token=${delegated}#`, []],
    ['one behind the path', `/callback/${delegated}`, []],
    ['one whose dots are escaped', `/?access_token=${delegated.replaceAll('.', '%2E')}`, []],
    ['one all escaped', `/?t=${delegated.replaceAll(/./g, (char) => `%${char.charCodeAt(0).toString(16)}`)}`, []],
    [
      'one in a password',
      '/',
      ['Authorization', `Basic ${Buffer.from(`x-access-token:${delegated}`).toString('base64')}`],
    ],
    ['one in base64 as a whole [A17]', '/', ['X-Token', `v1.${Buffer.from(delegated).toString('base64url')}`]],
    ['one in base64 with its scheme [A17]', '/', ['X-Token', Buffer.from(`Bearer ${delegated}`).toString('base64')]],
    [
      'one in a session in a password [A17]',
      '/',
      ['Authorization', `Basic ${Buffer.from(`ü:${base64({ t: delegated })}`).toString('base64')}`],
    ],
    ['one in a password with a character that decoders skip [A17]', '/', ['Authorization', `Basic ${skipped('~')}`]],
    ['one in a session with a character that decoders skip [A17]', '/', ['Cookie', `s=${skipped('!')}; a=b`]],
    ['one in the query with a space in its base64 [A17]', `/?s=${skipped('+')}`, []],
    ['one in the query with an escaped line end in its base64 [A17]', `/?s=${skipped('%0A')}`, []],
    ['one in base64 in the path [A17]', `/magic/${Buffer.from(delegated).toString('base64url')}`, []],
    ['one in base64 behind a prefix [A17]', '/', ['Cookie', `sid=v1-${Buffer.from(delegated).toString('base64url')}`]],
    ...['t.00=A', 't-0=A', 't.0=A', 't=A'].flatMap((decoy): [string, string, string[]][] => [
      [`one in chunks with the decoy ${decoy} [A17]`, '/', ['Cookie', decoyed(delegated, decoy)]],
      [`one in chunks behind the decoy ${decoy} [A17]`, '/', ['Cookie', `${decoy}; ${inChunks(delegated, 2)}`]],
    ]),
    ['one whose signature is in another cookie', '/', ['Cookie', `hp=${delegated.replace(/\.[^.]*$/, '')}; s=x`]],
    [
      'one in chunks of a cookie [A17]',
      '/',
      ['Cookie', `t.1=${delegated.slice(50)}; x=y; t.0=${delegated.slice(0, 50)}`],
    ],
    [
      'one in chunks on two lines [A17]',
      '/',
      ['Cookie', `t=${delegated.slice(0, 50)}`, 'Cookie', `t-1=${delegated.slice(50)}`],
    ],
    ['one in eleven chunks', '/', ['Cookie', inChunks(delegated, 11)]],
    ['one in a session in base64', '/', ['Cookie', `sess=${base64({ access_token: delegated })}`]],
    [
      'one in such a session, with a prefix [A17]',
      '/',
      ['Cookie', `sess=base64-${base64({ user: {}, t: [delegated] })}`],
    ],
    ['one in a list in base64', '/', ['Cookie', `sess=${base64([delegated, null])}`]],
    ['one in chunks of such a session', '/', ['Cookie', inChunks(`base64-${base64({ t: delegated })}`, 3)]],
    ['one in a session, its dots escaped', '/', ['Cookie', `s=${escapedDots(delegated)}`]],
    [
      'one in three cookies [A17]',
      '/',
      [
        'Cookie',
        delegated
          .split('.')
          .map((part, i) => `${'hps'[i]}=${part}`)
          .join('; '),
      ],
    ],
    ['one that is escaped twice', '/', ['Cookie', `t=${encodeURIComponent(encodeURIComponent(`"${delegated}"`))}`]],
    ['one whose dots are escaped twice', `/?t=${delegated.replaceAll('.', '%252e')}`, []],
    ['claims that are no part of a token', '/', ['Cookie', `state=${base64({ act: 1 })}`]],
    ['one that white space begins', '/', ['Authorization', `x.${Buffer.from(' {"act":1}').toString('base64')}.y`]],
  ])('%s is a mark [A17]', (_title, target, rawHeaders) => {
    expect(carriesOurMark(target, rawHeaders)).toBe(true);
  });

  it.each<[string, string, readonly string[]]>([
    ['nothing', '/', []],
    ["a user's own token", '/', ['Authorization', `Bearer ${token({ sub: 'user_123', may_act: { sub: 'a' } })}`]],
    ['a tag of others', '/', ['Signature-Input', 'sig=();tag="web-bot-auth"']],
    ['act inside another claim', '/', ['Authorization', `Bearer ${token({ data: { act: 1 } })}`]],
    [
      'a session of a user',
      '/',
      ['Cookie', `sess=${base64({ access_token: token({ sub: 'user_123' }), act_now: 1 })}`],
    ],
    ['a chunked token of a user', '/', ['Cookie', inChunks(token({ sub: 'user_123', name: 'x'.repeat(99) }), 4)]],
    ['broken escapes and broken JSON', '/%zz%', ['X', `a.${Buffer.from('{"act"').toString('base64')}.b`]],
    ['a User-Agent', '/v1.2.3/x', ['User-Agent', 'curl/8.5.0']],
  ])('%s is none', (_title, target, rawHeaders) => {
    expect(carriesOurMark(target, rawHeaders)).toBe(false);
  });

  it.each<[string, readonly string[]]>([
    ['a signature of Web Bot Auth', ['Signature-Input', 'sig=();tag="web-bot-auth"']],
    ['an opaque token of scheme DPoP', ['authorization', 'dpop opaque']],
  ])('%s is a mark where it is accepted [A17]', (_title, rawHeaders) => {
    const accepted = { tags: ['countersign', 'web-bot-auth'], dpop: true };
    expect(carriesOurMark('/', rawHeaders, accepted)).toBe(true);
    expect(carriesOurMark('/', rawHeaders)).toBe(false);
  });

  it('much JSON is a mark, because nobody parses it all [A16]', () => {
    const cookies = Array.from({ length: 33 }, (_, i) => `c${i}x=${base64({ id: i + 100 })}`);
    expect(carriesOurMark('/', ['Cookie', cookies.slice(1).join('; ')])).toBe(false);
    expect(carriesOurMark('/', ['Cookie', cookies.join('; ')])).toBe(true);
  });

  it('what is larger than the guard reads is a mark [A16]', () => {
    expect(carriesOurMark('/', ['x', 'a'.repeat(32_700)])).toBe(false);
    expect(carriesOurMark('/', ['x', 'a'.repeat(32_800)])).toBe(true);
  });

  it('what is too short or no object is not parsed [A16]', () => {
    const parse = vi.spyOn(JSON, 'parse');
    for (const part of [
      'ew.',
      'e30.',
      'eyJ.',
      `${base64('x'.repeat(12))}.`,
      `${Buffer.from('{"act":1').toString('base64url')}.`,
    ]) {
      expect(carriesOurMark('/', ['Cookie', part.repeat(15_000 / part.length)])).toBe(false);
    }
    expect(parse).not.toHaveBeenCalled();
  });

  it('reads each character a few times only, whatever strangers send [A16]', () => {
    const decode = vi.spyOn(Buffer, 'from');
    for (const text of ['a', 'a.', '%', '%25', '{', '-', '.1=', 'eyJ', '\\u']) {
      const long = text.repeat(15_000 / text.length);
      for (const request of [long, `.${long}.`]) {
        decode.mockClear();
        expect(carriesOurMark(request, ['cookie', request])).toBe(false);
        const decoded = decode.mock.calls.reduce(
          (sum, [given]) => sum + (typeof given === 'string' ? given.length : 0),
          0,
        );
        expect(decoded).toBeLessThanOrEqual(8 * request.length);
      }
    }
  });

  it('takes a request with more than 256 cookies for marked', () => {
    expect(carriesOurMark('/', ['cookie', Array.from({ length: 256 }, (_, at) => `c${at}=v`).join('; ')])).toBe(false);
    expect(carriesOurMark('/', ['cookie', '1;'.repeat(256)])).toBe(true);
  });
});
