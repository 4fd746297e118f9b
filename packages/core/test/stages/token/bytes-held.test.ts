import { describe, expect, it } from 'vitest';
import { bytesHeld } from '../../../src/stages/token/bytes-held.js';

describe('bytesHeld', () => {
  it('tells what memory the claims take, not their text', () => {
    const fat = { details: Array.from({ length: 1000 }, () => ({})) };
    expect(bytesHeld(fat)).toBeGreaterThan(100_000);
    expect(bytesHeld({ issuer: 'agent-a', scope: ['repo:read'] })).toBeLessThan(2000);
  });
});
