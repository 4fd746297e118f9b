import { FieldSection } from '@countersign/signature';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkedCookies } from '../../../src/stages/traffic/chunked-cookies.js';
import { carriesOurMark } from '../../../src/stages/traffic/traffic.js';

const claims = Buffer.from(JSON.stringify({ sub: 'user_123', act: { sub: 'agent-1' }, cnf: { jkt: 'x' } }));
const token = `eyJhbGciOiJFZERTQSJ9.${claims.toString('base64url')}.c2lnbmF0dXJl`;
const inJson = `base64-${Buffer.from(JSON.stringify({ access_token: token, user: {} })).toString('base64url')}`;

const isMarked = (cookie: string): boolean => {
  const rawHeaders = ['Cookie', cookie];
  return carriesOurMark({ target: '/', rawHeaders, fields: new FieldSection(rawHeaders) }, { tags: [], dpop: false });
};
const parse = (cookie: string, keeps: 'first' | 'last'): Map<string, string> => {
  const pairs = cookie.split('; ').map((pair): [string, string] => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  });
  const found = new Map<string, string>();
  for (const [name, value] of pairs) if (keeps === 'last' || !found.has(name)) found.set(name, value);
  return found;
};

/** How an application joins the chunks of its session. */
type Join = (cookies: ReadonlyMap<string, string>, name: string, separator: string) => string;
const inTurn =
  (first: 'bare' | 'none', start: number): Join =>
  (cookies, name, separator) => {
    let joined = first === 'bare' ? (cookies.get(name) ?? '') : '';
    for (let at = start; ; at += 1) {
      const chunk = cookies.get(`${name}${separator}${at}`);
      if (chunk === undefined) return joined;
      joined += chunk;
    }
  };
const byNumber: Join = (cookies, name, separator) =>
  [...cookies.keys()]
    .filter((key) => key.startsWith(name + separator) && /^\d+$/.test(key.slice(name.length + separator.length)))
    .toSorted((one, other) => numberIn(one) - numberIn(other))
    .map((key) => cookies.get(key) ?? '')
    .join('');
const numberIn = (name: string): number => Number(/\d+$/.exec(name)?.[0]);

const names = fc.constantFrom('session', 's', 'sb-ref-auth-token', 'session2', 'session_v2', 'auth.1', 'a10', 'x-1');
const separators = fc.constantFrom('.', '-', '_', '');
const texts = fc.constantFrom(token, inJson);
const decoyValues = fc.constantFrom('Q', 'QQ', 'eyJ', 'e30.', 'x.y.z');
const decoysOf = (name: string) => {
  const numbers = fc.constantFrom('', '0', '1', '2', '5', '7', '00', '01', '0001', '1000', '20');
  const decoy = fc
    .tuple(separators, numbers, decoyValues)
    .map(([separator, number, value]) => `${name}${number === '' ? '' : separator}${number}=${value}`);
  return fc.array(decoy, { maxLength: 4 });
};

describe('chunkedCookies', () => {
  it.each([
    ['a decoy 0 behind a first chunk without a number', ['t', 't-1', 't-2'], 't-0=Q'],
    ['a decoy 0 behind a first chunk, without a separator', ['t', 't1', 't2'], 't0=Q'],
    ['a name that ends in a digit', ['session2', 'session2-1', 'session2-2'], 'a=b'],
    ['a name that ends in a digit, and a decoy', ['session2', 'session2-1', 'session2-2'], 'session2-0=Q'],
    ['a name that ends in a digit, without a separator', ['session2', 'session21', 'session22'], 'session3=Q'],
    ['a name that ends in a separator and a digit', ['auth.1', 'auth.1.1', 'auth.1.2'], 'auth.2=Q'],
    ['numbers of four digits', ['t.1000', 't.2000', 't.3000'], 't-0=Q'],
    ['numbers with zeros before them', ['t.0', 't.00', 't.1'], 't-0=Q'],
    ['a decoy whose number has a zero before it', ['t.0', 't.1', 't.2'], 't.00=Q; t-0=Q'],
    ['a decoy behind a gap', ['t.0', 't.1', 't.2'], 't.0=Q; t.7=Q; t-0=Q'],
  ])('finds a token in chunks with %s [A17]', (_title, [one = '', two = '', three = ''], decoy) => {
    const chunks = `${one}=${token.slice(0, 40)}; ${two}=${token.slice(40, 71)}; ${three}=${token.slice(71)}`;
    expect(isMarked(`${chunks}; ${decoy}`)).toBe(true);
  });

  it.each(['\t', '\u{a0}'])('takes a name for a mark that parsers read in two ways: with %j [A17]', (space) => {
    expect(isMarked(`t.0=a; ${space}t.0=Q; t.1=b`)).toBe(true);
    expect(isMarked(`t.0=a; t.0${space}=Q; t.1=b`)).toBe(true);
    expect(isMarked('t.0=a;  t.0 =Q; t.1=b')).toBe(false);
  });

  it('finds a token in chunks that an application joins, with any name, separator and decoys [A17]', () => {
    const joins = fc.constantFrom(inTurn('bare', 0), inTurn('bare', 1), inTurn('none', 0), inTurn('none', 1), byNumber);
    const sent = fc.record({ name: names, separator: separators, join: joins, text: texts }).chain((given) =>
      fc.record({
        given: fc.constant(given),
        cuts: fc.uniqueArray(fc.integer({ min: 1, max: given.text.length - 1 }), { minLength: 1, maxLength: 5 }),
        spelling: fc.constantFrom('bare', '0', '1', '1000'),
        decoys: decoysOf(given.name),
        seed: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        keeps: fc.constantFrom<('first' | 'last')[]>('first', 'last'),
      }),
    );
    let joinedAsSent = 0;
    fc.assert(
      fc.property(sent, ({ given: { name, separator, join, text }, cuts, spelling, decoys, seed, keeps }) => {
        const ends = [...cuts.toSorted((one, other) => one - other), text.length];
        const chunks = ends.map((end, at) => {
          const number =
            spelling === 'bare' ? (at === 0 ? '' : `${separator}${at}`) : `${separator}${at + Number(spelling)}`;
          return `${name}${number}=${text.slice(ends[at - 1] ?? 0, end)}`;
        });
        const cookie = [...chunks, ...decoys]
          .map((pair, at) => ({ pair, order: seed[at] ?? 0 }))
          .toSorted((one, other) => one.order - other.order)
          .map(({ pair }) => pair)
          .join('; ');
        if (!join(parse(cookie, keeps), name, separator).includes(text)) return;
        joinedAsSent += 1;
        expect(isMarked(cookie)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    expect(joinedAsSent).toBeGreaterThan(100);
  });

  it('reads the chunks of an honest client once', () => {
    const chunks = [0, 1, 2, 3].map((at) => `t.${at}=v${at}`);
    expect(chunkedCookies([`a=b; ${chunks.join('; ')}; _ga_12=x`])).toEqual([['v0', 'v1', 'v2', 'v3']]);
    expect(chunkedCookies([`t=v; ${chunks.slice(1).toReversed().join('; ')}`])).toEqual([['v', 'v1', 'v2', 'v3']]);
  });

  it('finds no more than 24 readings in the numbered cookies of a user', () => {
    const cookies = Array.from(
      { length: 25 },
      (_, at) => `promo${at}=seen; exp-${at}=a; visid_${at + 2_819_231}=${at}`,
    );
    expect(chunkedCookies([cookies.join('; ')])).toBeDefined();
  });
});
