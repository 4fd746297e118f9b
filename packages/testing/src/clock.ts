/** A clock that stands still until a test moves it. */
export interface TestClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Moves the clock on. */
  advance(seconds: number): void;
}

/**
 * It starts at the real time, so that certificates and other clocks agree with it. Not in the second in which the process
 * began: a guard does not know what was signed then, and a clock that stands would never leave it.
 */
export function testClock(): TestClock {
  const now = Date.now();
  const began = now / 1000 - process.uptime();
  let time = Math.max(now, (Math.floor(began) + 1) * 1000);
  return {
    now: () => time,
    advance(seconds) {
      if (!Number.isFinite(seconds) || seconds < 0) {
        throw new RangeError('clock.advance: give seconds, 0 or more. Time does not go back.');
      }
      time += seconds * 1000;
    },
  };
}

export function secondsOf(clock: TestClock): number {
  return Math.floor(clock.now() / 1000);
}
