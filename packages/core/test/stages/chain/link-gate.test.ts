import * as fc from 'fast-check';
import { FieldSection } from '@countersign/signature';
import { describe, expect, it } from 'vitest';
import { readDelegationField as readField } from '../../../src/stages/chain/link-gate.js';

const readDelegationField = (rawHeaders: readonly string[], maxLinks: number) =>
  readField(new FieldSection(rawHeaders), maxLinks);
const read = (...values: string[]) =>
  readDelegationField(
    values.flatMap((value) => ['Agent-Delegation', value]),
    5,
  );
const codeOf = (...values: string[]) => {
  const links = read(...values);
  return 'code' in links ? links.code : links;
};

describe('the Agent-Delegation field', () => {
  it('yields no links when absent', () => {
    expect(read()).toEqual([]);
    expect(readDelegationField(['Host', 'a', 'X-Agent-Delegation', 'b'], 5)).toEqual([]);
  });

  it('yields the Tokens of its List in order, for any case of its name', () => {
    expect(read('eyJ.a-_.c')).toEqual(['eyJ.a-_.c']);
    expect(read('a, b ,c,\td')).toEqual(['a', 'b', 'c', 'd']);
    expect(readDelegationField(['agent-DELEGATION', 'a'], 5)).toEqual(['a']);
  });

  it.each([
    [''],
    [' '],
    [','],
    ['a,'],
    ['a b'],
    ['a;p=1'],
    ['a;p'],
    ['"a"'],
    ['(a)'],
    ['1'],
    ['?1'],
    [':AAAA:'],
    ['1.2.3'],
    ['a\u00e9'],
    ['a'.repeat(25_000)],
  ])('is malformed with the value %j [B10]', (value) => {
    expect(codeOf(value)).toBe('delegation_malformed');
  });

  it('is malformed when it appears twice, although the joined value would be a chain [C2]', () => {
    expect(codeOf('a', 'b')).toBe('delegation_malformed');
    expect(codeOf('a', 'a')).toBe('delegation_malformed');
  });

  it('refuses more links than the maximum [C1]', () => {
    expect(read('a, b, c, d, e')).toHaveLength(5);
    expect(codeOf('a, b, c, d, e, f')).toBe('delegation_too_deep');
    expect(readDelegationField(['Agent-Delegation', 'a'], 0)).toMatchObject({ code: 'delegation_too_deep' });
  });

  it('yields links or a refusal for any value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (value) => {
        const links = read(value);
        if ('code' in links) expect(links.detail).not.toContain('undefined');
        else expect(links.every((link) => value.includes(link) && link !== '')).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
