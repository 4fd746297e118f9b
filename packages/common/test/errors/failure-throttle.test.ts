import { describe, expect, it } from 'vitest';
import { FailureThrottle } from '../../src/errors/failure-throttle.js';

describe('a trouble that lasts', () => {
  it('is told the first, the second, the fourth … time', () => {
    const trouble = new FailureThrottle(() => 0);
    const told: string[] = [];
    for (let count = 0; count < 20; count++) if (trouble.again()) told.push(trouble.howOften);
    expect(told).toEqual(['once', ...[2, 4, 8, 16].map((times) => `${times} times`)]);
    expect(trouble.times).toBe(20);
  });

  it('is over once, and begins anew', () => {
    let now = 0;
    const trouble = new FailureThrottle(() => now);
    expect(trouble.over()).toBe(0);
    for (let count = 0; count < 3; count++) trouble.again();
    now = 10_000;
    expect([trouble.over(), trouble.over()]).toEqual([3, 0]);
    expect(trouble.again()).toBe(true);
    expect(trouble.times).toBe(1);
  });

  it('is over only after a quiet time, where successes lie between the failures', () => {
    let now = 1_000_000;
    const trouble = new FailureThrottle(() => now);
    for (let count = 0; count < 5; count++) {
      trouble.again();
      now += 9_999;
      expect(trouble.over()).toBe(0);
    }
    now += 1;
    expect(trouble.over()).toBe(5);
  });

  it('is over at last if it worked after the last failure, however soon', () => {
    const trouble = new FailureThrottle(() => 0);
    trouble.again();
    expect([trouble.over(), trouble.overAtLast(), trouble.overAtLast()]).toEqual([0, 1, 0]);
    trouble.again();
    trouble.over();
    trouble.again();
    expect(trouble.overAtLast()).toBe(0);
  });

  it('ends also on a clock that was put back, and with one that fails never worse [F8]', () => {
    let now = 1_000_000;
    const trouble = new FailureThrottle(() => now);
    trouble.again();
    now = 0;
    expect(trouble.over()).toBe(1);
    const failing = new FailureThrottle(() => {
      throw new Error('no clock');
    });
    expect(failing.again()).toBe(true);
    expect(failing.over()).toBe(0);
  });
});
