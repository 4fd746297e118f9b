import { describe, expect, it } from 'vitest';
import { FailureThrottle } from '../../src/errors/failure-throttle.js';

describe('FailureThrottle', () => {
  it('reports the first, the second, the fourth … failure', () => {
    const trouble = new FailureThrottle(() => 0);
    const told: string[] = [];
    for (let count = 0; count < 20; count++) if (trouble.recordFailure()) told.push(trouble.timesText);
    expect(told).toEqual(['once', ...[2, 4, 8, 16].map((times) => `${times} times`)]);
    expect(trouble.times).toBe(20);
  });

  it('reports recovery once, and counts anew after it', () => {
    let now = 0;
    const trouble = new FailureThrottle(() => now);
    expect(trouble.recordSuccess()).toBe(0);
    for (let count = 0; count < 3; count++) trouble.recordFailure();
    now = 10_000;
    expect([trouble.recordSuccess(), trouble.recordSuccess()]).toEqual([3, 0]);
    expect(trouble.recordFailure()).toBe(true);
    expect(trouble.times).toBe(1);
  });

  it('recovers only after a quiet time when successes lie between failures', () => {
    let now = 1_000_000;
    const trouble = new FailureThrottle(() => now);
    for (let count = 0; count < 5; count++) {
      trouble.recordFailure();
      now += 9_999;
      expect(trouble.recordSuccess()).toBe(0);
    }
    now += 1;
    expect(trouble.recordSuccess()).toBe(5);
  });

  it('recovers at a flush when the last attempt worked, however soon', () => {
    const trouble = new FailureThrottle(() => 0);
    trouble.recordFailure();
    expect([trouble.recordSuccess(), trouble.flush(), trouble.flush()]).toEqual([0, 1, 0]);
    trouble.recordFailure();
    trouble.recordSuccess();
    trouble.recordFailure();
    expect(trouble.flush()).toBe(0);
  });

  it('recovers on a clock that was set back, and survives a clock that throws [F8]', () => {
    let now = 1_000_000;
    const trouble = new FailureThrottle(() => now);
    trouble.recordFailure();
    now = 0;
    expect(trouble.recordSuccess()).toBe(1);
    const failing = new FailureThrottle(() => {
      throw new Error('no clock');
    });
    expect(failing.recordFailure()).toBe(true);
    expect(failing.recordSuccess()).toBe(0);
  });
});
