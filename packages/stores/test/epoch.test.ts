import { describe, expect, it } from 'vitest';
import { isBeforeEpoch, settlingTime } from '../src/index.js';

const proof = { created: 1000, now: 1003 };
const asked = { proof, elapsedMilliseconds: 0, clockSkewSeconds: 5 };

describe('isBeforeEpoch', () => {
  it.each([
    ['the store is older than the proof and the skew', 8001, false],
    ['the store is exactly as old as both', 8000, true],
    ['the store began after the proof', 1000, true],
    ['the store has just begun', 0, true],
    ['the clock of the store was set back', -5000, true],
    ['the age is no number', Number.NaN, true],
  ])('when %s', (_, ageMilliseconds, isBefore) => {
    expect(isBeforeEpoch({ ...asked, ageMilliseconds })).toBe(isBefore);
  });

  it('counts the age back from the answer, which may have taken long', () => {
    expect(isBeforeEpoch({ ...asked, ageMilliseconds: 8001, elapsedMilliseconds: 2 })).toBe(true);
  });
});

describe('settlingTime', () => {
  it('ends when a signature of this second is accepted', () => {
    expect(settlingTime(0, 5)).toBe(6000);
    expect(settlingTime(5500, 5)).toBe(500);
    expect(settlingTime(1e9, 5)).toBe(0);
  });
});
