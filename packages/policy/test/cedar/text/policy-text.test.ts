import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { depthOf, lineAt, splitPolicies, termsOf } from '../../../src/cedar/text/policy-text.js';

const texts = (source: string): string[] => [...splitPolicies(source)].map(({ text }) => text);
const depthIn = (condition: string): number => depthOf(`permit(principal, action, resource) when { ${condition} };`);

const trivia = /^(?:\s|\/\/[^\n\r]*)*/;

describe('splitPolicies', () => {
  it('splits at semicolons outside strings and comments', () => {
    const source = `// a; b
@id("x;\\"y;") permit(principal, action, resource); // c; "
forbid(principal, action, resource) // d; {
  when { context.a == "//;" && context.b == "\\\\" };permit(principal, action, resource)   ;
// e "
`;
    expect(texts(source)).toEqual([
      '@id("x;\\"y;") permit(principal, action, resource);',
      'forbid(principal, action, resource) // d; {\n  when { context.a == "//;" && context.b == "\\\\" };',
      'permit(principal, action, resource)   ;',
    ]);
    expect([...splitPolicies(source)].map(({ line }) => line)).toEqual([2, 3, 4]);
  });

  it('ends a comment at a line feed or carriage return, not at U+2028', () => {
    expect(texts('// a\rpermit;')).toEqual(['permit;']);
    expect(texts('// a\u2028permit;')).toEqual([]);
  });

  it('keeps text without a semicolon, for Cedar to refuse', () => {
    expect(texts('permit(principal, action, resource)')).toEqual(['permit(principal, action, resource)']);
    expect(texts('permit; "open')).toEqual(['permit;', '"open']);
    expect(texts('; ;')).toEqual([';', ';']);
  });

  it('finds nothing in white space and comments', () => {
    expect(texts('')).toEqual([]);
    expect(texts(' \n// permit(principal, action, resource);\n')).toEqual([]);
  });

  it('never throws, and drops only white space and comments', () => {
    const piece = fc.constantFrom(
      '"',
      '\\',
      '//',
      '\n',
      ';',
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      'if',
      '&&',
      '.',
      ' ',
      'a',
      '€',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const source = pieces.join('');
        let rest = source;
        for (const { text, line } of splitPolicies(source)) {
          rest = rest.replace(trivia, '');
          expect(rest.startsWith(text)).toBe(true);
          rest = rest.slice(text.length);
          expect(line).toBeLessThanOrEqual(source.split('\n').length);
          expect(depthOf(text)).toBeGreaterThanOrEqual(1);
        }
        expect(rest.replace(trivia, '')).toBe('');
      }),
      { numRuns: 500 },
    );
  });
});

describe('depthOf', () => {
  it('grows with brackets of every kind', () => {
    for (const [open, close] of ['()', '[]', '{}']) {
      expect(depthIn(`${open?.repeat(50)}1${close?.repeat(50)}`), open).toBeGreaterThan(50);
    }
  });

  it('grows with chains without brackets', () => {
    for (const link of ['a && ', 'a || ', 'if a then b else ', 'if a then ', '1 + ', '1 * ', '1 - ', 'a.', '!']) {
      expect(depthIn(`${link.repeat(50)}a`), link).toBeGreaterThan(50);
    }
  });

  it('grows with chains of accesses by name in brackets [M4]', () => {
    expect(depthIn(`context${'["a"]'.repeat(50)} == 1`)).toBeGreaterThan(50);
    expect(depthIn(`context.a${'["a"].b'.repeat(25)} == 1`)).toBeGreaterThan(50);
  });

  it('adds the depths of nested constructs', () => {
    expect(depthIn(`${'a && '.repeat(30)}(${'b || '.repeat(30)}c)`)).toBeGreaterThan(60);
    expect(depthIn(`${'a && ('.repeat(30)}b${')'.repeat(30)}`)).toBeGreaterThan(60);
  });

  it('counts unclosed brackets', () => {
    expect(depthOf('('.repeat(100))).toBeGreaterThan(100);
  });

  it('does not grow with lists or independent terms', () => {
    expect(depthIn(`[${'"x", '.repeat(20_000)}"x"].contains(context.a)`)).toBeLessThan(10);
    expect(depthIn(`[${'(1 + 1), '.repeat(500)}1].contains(1)`)).toBeLessThan(10);
    expect(depthIn(`${'context.a.b.contains("x") && '.repeat(20)}true`)).toBeLessThan(32);
  });

  it('ignores strings and comments', () => {
    expect(depthIn(`"${'('.repeat(100)}" == context.a // ${'('.repeat(100)}\n`)).toBeLessThan(5);
  });
});

it('termsOf counts the terms of a policy outside strings and comments', () => {
  const list = `[${'1,'.repeat(999)}1].contains(context.depth)`;
  expect(termsOf(`permit(principal, action, resource) when { ${list} };`)).toBe(1002);
  expect(termsOf(`@id("a,b,c") permit(principal, action, resource); // d, e, f`)).toBe(3);
});

it('lineAt maps byte offsets to lines', () => {
  const text = 'é\n😀\n\nx';
  expect([0, 2, 3, 7, 8, 9].map((offset) => lineAt(text, offset, 10))).toEqual([10, 10, 11, 11, 12, 13]);
});
