/** A clock that stands still until a test moves it. */
export interface TestClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Moves the clock on. */
  advance(seconds: number): void;
}

/** It starts at the real time, so that certificates and other clocks agree with it. */
export function testClock(): TestClock {
  let time = Date.now();
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
