import { describe, expect, it } from 'vitest';
import { isIdentifier } from '../src/identifier.js';

describe('an identifier [C5]', () => {
  it.each(['agent-1', 'user 1', 'é', 'агент', '名前', '👩', 'a⠁'])('may be %j', (text) => {
    expect(isIdentifier(text)).toBe(true);
  });

  it.each([
    ['the blank Braille pattern', 'agent-a\u2800'],
    ['a character for private use', 'agent-a\ue000'],
    ['a character of no meaning yet', 'agent-a\u0378'],
    ['no character at all', 'agent-a\uffff'],
    ['a zero-width space', 'agent-a\u200b'],
    ['a lone surrogate', 'agent-a\ud800'],
    ['another space', 'agent\u00a0a'],
    ['a space at its end', 'agent-a '],
    ['text that is not in NFC', 'e\u0301'],
  ])('contains no %s', (_title, text) => {
    expect(isIdentifier(text)).toBe(false);
  });
});
