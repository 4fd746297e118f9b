import { describe, expect, it } from 'vitest';
import { spellingHint } from '../src/spelling-hint.js';

describe('spellingHint', () => {
  const known = ['scope', 'maxHops', 'audience'];

  it.each([
    ['maxHop', "Did you mean 'maxHops'?"],
    ['maxhops', "Did you mean 'maxHops'?"],
    ['audiences', "Did you mean 'audience'?"],
    ['ttl', 'Known options: scope, maxHops, audience.'],
    ['', 'Known options: scope, maxHops, audience.'],
  ])('says of %s: %s', (name, hint) => {
    expect(spellingHint(name, known, 'options')).toBe(hint);
  });

  it('lists only the first of many names, but searches all of them for the intended one', () => {
    const many = Array.from({ length: 42 }, (_, n) => `group-number-${n}`);
    expect(spellingHint('x', many, 'groups')).toMatch(
      /^Known groups: group-number-0, .*group-number-39, and 2 more\.$/,
    );
    expect(spellingHint('grup-number-41', many, 'groups')).toBe("Did you mean 'group-number-41'?");
  });
});
