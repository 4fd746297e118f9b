import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  closeScope,
  coveredScopes,
  covers,
  formatScope,
  intersectScopes,
  minimalScope,
  parseScope,
  type Scope,
  scopeCovers,
} from '../src/scope.js';

// Few segments, one a prefix of another and one with a character that sorts before the colon, so that scopes meet often.
const SEGMENTS = ['a', 'ab', 'a!'];
const UNIVERSE: Scope = SEGMENTS.flatMap((x) => [
  x,
  ...SEGMENTS.flatMap((y) => [`${x}:${y}`, ...SEGMENTS.map((z) => `${x}:${y}:${z}`)]),
]);
const oneScope = fc.constantFrom(...UNIVERSE);
const scopes = fc.array(oneScope, { maxLength: 6 });

/** Model of a scope: the set of scopes it covers. */
const rights = (scope: Scope): Scope => UNIVERSE.filter((wanted) => scopeCovers(scope, wanted));

/** An independent scope parser, without a regular expression. */
function isToken(token: string): boolean {
  const characters = token.split('');
  return (
    token.length <= 256 &&
    token.split(':').every((segment) => segment !== '') &&
    characters.every((c) => c === '!' || (c >= '#' && c <= '~' && c !== '\\'))
  );
}

function parsed(value: unknown): Scope | string {
  const result = parseScope(value);
  return result.ok ? result.scope : result.code;
}

describe('coveredScopes', () => {
  it.each(['hierarchical', 'exact'] as const)('is each wanted scope that some held one covers, %s', (match) => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('', ':a', 'a:', ...UNIVERSE)),
        fc.array(fc.constantFrom('', ':a', ...UNIVERSE)),
        (held, wanted) => {
          expect(coveredScopes(held, wanted, match)).toEqual(wanted.filter((one) => scopeCovers(held, one, match)));
        },
      ),
    );
  });

  it('costs a long scope about as much as a short one [I2]', () => {
    const many = Array.from({ length: 50_000 }, (_, index) => `a:${index}`);
    expect(intersectScopes(many, ['a'])).toHaveLength(many.length);
    expect(coveredScopes(many, many)).toEqual(many);
  });
});

describe('covers', () => {
  it.each([
    ['pr:write', 'pr:write', true],
    ['pr:write', 'pr:write:draft', true],
    ['pr', 'pr:write:draft', true],
    ['pr:write', 'pr:writer', false],
    ['pr:write', 'pr', false],
    ['pr:write:draft', 'pr:write', false],
    ['pr:write', 'PR:write', false],
    ['pr:*', 'pr:write', false],
    ['write', 'pr:write', false],
    ['', 'pr', false],
    ['', ':pr', false],
    ['', '', false],
  ])('%j covers %j: %s', (held, wanted, expected) => {
    expect(covers(held, wanted)).toBe(expected);
  });

  it.each([
    ['pr:write', 'pr:write', true],
    ['pr:write', 'pr:write:draft', false],
    ['pr', 'pr:write', false],
    ['pr:write:draft', 'pr:write', false],
    ['', '', false],
  ])('to the letter, %j covers %j: %s', (held, wanted, expected) => {
    expect(covers(held, wanted, 'exact')).toBe(expected);
    expect(scopeCovers(['x', held], wanted, 'exact')).toBe(expected);
  });

  it('is the prefix order of segments', () => {
    fc.assert(
      fc.property(oneScope, oneScope, (held, wanted) => {
        const depth = held.split(':').length;
        expect(covers(held, wanted)).toBe(wanted.split(':').slice(0, depth).join(':') === held);
      }),
    );
  });

  it('law: reflexive, antisymmetric and transitive', () => {
    for (const a of UNIVERSE) {
      expect(covers(a, a)).toBe(true);
      for (const b of UNIVERSE) {
        if (covers(a, b) && covers(b, a)) expect(a).toBe(b);
        if (!covers(a, b)) continue;
        for (const c of UNIVERSE) if (covers(b, c)) expect(covers(a, c)).toBe(true);
      }
    }
  });
});

describe('intersectScopes', () => {
  it('keeps the narrower of each pair', () => {
    expect(intersectScopes(['pr:write', 'repo'], ['pr', 'repo:read', 'user'])).toEqual(['pr:write', 'repo:read']);
    expect(intersectScopes(['pr:write'], ['pr:writer'])).toEqual([]);
    expect(intersectScopes(['pr:write'], [])).toEqual([]);
  });

  it('law: never widens, and keeps every right that both allow [C6]', () => {
    fc.assert(
      fc.property(scopes, scopes, (a, b) => {
        const inBoth = rights(a).filter((wanted) => scopeCovers(b, wanted));
        expect(rights(intersectScopes(a, b))).toEqual(inBoth);
      }),
    );
  });

  it('law: commutative', () => {
    fc.assert(
      fc.property(scopes, scopes, (a, b) => {
        expect(intersectScopes(a, b)).toEqual(intersectScopes(b, a));
      }),
    );
  });

  it('law: associative', () => {
    fc.assert(
      fc.property(scopes, scopes, scopes, (a, b, c) => {
        expect(intersectScopes(intersectScopes(a, b), c)).toEqual(intersectScopes(a, intersectScopes(b, c)));
      }),
    );
  });

  it('law: idempotent, up to the one shortest form', () => {
    fc.assert(
      fc.property(scopes, (a) => {
        expect(intersectScopes(a, a)).toEqual(minimalScope(a));
      }),
    );
  });

  it('does not change its arguments', () => {
    const a = Object.freeze(['b', 'a:x', 'a']);
    expect(intersectScopes(a, a)).toEqual(['a', 'b']);
    expect(a).toEqual(['b', 'a:x', 'a']);
  });
});

describe('minimalScope', () => {
  it('law: equal rights give equal arrays, and none is redundant', () => {
    fc.assert(
      fc.property(scopes, scopes, (a, b) => {
        const minimal = minimalScope(a);
        expect(rights(minimal)).toEqual(rights(a));
        for (const scope of minimal) expect(minimal.filter((held) => covers(held, scope))).toEqual([scope]);
        const sameRights = JSON.stringify(rights(a)) === JSON.stringify(rights(b));
        expect(JSON.stringify(minimal) === JSON.stringify(minimalScope(b))).toBe(sameRights);
      }),
    );
  });

  it('sorts by code unit, in every locale alike', () => {
    expect(minimalScope(['b', 'B', 'a', 'Z'])).toEqual(['B', 'Z', 'a', 'b']);
  });
});

describe('closeScope', () => {
  it('names every known scope that is covered, and itself', () => {
    const vocabulary = new Set(['pr', 'pr:write:draft', 'pr:writer', 'repo:read']);
    expect(closeScope(['pr:write'], vocabulary)).toEqual(['pr:write', 'pr:write:draft']);
    expect(closeScope(['repo', 'pr:write'], ['pr:write:draft'])).toEqual(['pr:write', 'pr:write:draft', 'repo']);
    expect(closeScope([], vocabulary)).toEqual([]);
  });

  it('law: adds exactly the known scopes that are covered [C6]', () => {
    fc.assert(
      fc.property(scopes, scopes, (effective, vocabulary) => {
        const closed = closeScope(effective, vocabulary);
        expect(rights(closed)).toEqual(rights(effective));
        for (const known of vocabulary) expect(closed.includes(known)).toBe(scopeCovers(effective, known));
        for (const member of closed) expect([...effective, ...vocabulary]).toContain(member);
        expect(closeScope(closed, vocabulary)).toEqual(closed);
      }),
    );
  });
});

describe('parseScope', () => {
  it('reads scopes in order, each once', () => {
    expect(parsed('repo:read pr:write repo:read')).toEqual(['repo:read', 'pr:write']);
    expect(parsed('https://api.example/x openid')).toEqual(['https://api.example/x', 'openid']);
    expect(parsed(Array.from({ length: 100 }, (_, i) => `s${i}`).join(' '))).toHaveLength(100);
    expect(parsed(Array.from({ length: 100 }, (_, i) => `${i}`.padStart(256, 'x')).join(' '))).toHaveLength(100);
    expect(parsed('x'.repeat(256))).toEqual(['x'.repeat(256)]);
  });

  it.each([
    ['array', ['repo:read']],
    ['array of many', ['repo:read', 'pr:write']],
    ['object', { scope: 'repo:read' }],
    ['number', 7],
    ['null', null],
    ['undefined', undefined],
    ['String object', Object('repo:read')],
    ['empty', ''],
    ['only a space', ' '],
    ['leading space', ' a'],
    ['trailing space', 'a '],
    ['double space', 'a  b'],
    ['tab', 'a\tb'],
    ['newline', 'a\n'],
    ['no-break space', 'a\u00a0b'],
    ['ideographic space', 'a\u3000b'],
    ['zero width space', 'a\u200bb'],
    ['Cyrillic letter', 'rep\u043e:read'],
    ['NUL', 'a\0'],
    ['DEL', 'a\x7f'],
    ['quote', 'a"b'],
    ['backslash', 'a\\b'],
    ['empty segment', 'a::b'],
    ['leading colon', ':a'],
    ['trailing colon', 'a:'],
    ['colon alone', ':'],
    ['101 scopes', Array.from({ length: 101 }, (_, i) => `s${i}`).join(' ')],
    ['101 times the same', Array.from({ length: 101 }, () => 's').join(' ')],
    ['257 characters', 'x'.repeat(257)],
    ['a megabyte', 'x'.repeat(1e6)],
    ['a megabyte of spaces', ' '.repeat(1e6)],
  ])('refuses %s [B7]', (_, value) => {
    expect(parsed(value)).toBe('scope_malformed');
  });

  it('never throws, and accepts exactly the grammar', () => {
    const nearly = fc.array(fc.constantFrom(' ', ':', 'a', '!', '"', '\\', '~', '\x7f', '\u00e9'), { maxLength: 8 });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.string(),
          nearly.map((units) => units.join('')),
        ),
        (value) => {
          const result = parseScope(value);
          expect(result.ok).toBe(typeof value === 'string' && value.split(' ').every(isToken));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('round-trips through formatScope', () => {
    fc.assert(
      fc.property(fc.uniqueArray(oneScope, { minLength: 1, maxLength: 20 }), (scope) => {
        expect(parsed(formatScope(scope))).toEqual(scope);
      }),
    );
  });
});

const plain = (scope: Scope): Scope => [...new Set(scope)].toSorted();

describe('exact scopes', () => {
  it('are plain sets', () => {
    fc.assert(
      fc.property(scopes, scopes, (a, b) => {
        expect(minimalScope(a, 'exact')).toEqual(plain(a));
        expect(intersectScopes(a, b, 'exact')).toEqual(plain(a.filter((scope) => b.includes(scope))));
        expect(closeScope(a, UNIVERSE, 'exact')).toEqual(plain(a));
      }),
    );
  });

  it('are stricter: hierarchical scopes cover everything that exact scopes cover', () => {
    fc.assert(
      fc.property(scopes, oneScope, (held, wanted) => {
        if (scopeCovers(held, wanted, 'exact')) expect(scopeCovers(held, wanted)).toBe(true);
      }),
    );
  });
});
