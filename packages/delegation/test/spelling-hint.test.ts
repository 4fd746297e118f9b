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
});
