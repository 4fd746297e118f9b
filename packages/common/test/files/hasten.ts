import { afterEach, beforeEach, vi } from 'vitest';

const realSetTimeout = globalThis.setTimeout;

/** In the tests of this file timers run only by `hasten`, and a file that was just written counts as old. */
export function fakeTime(): void {
  beforeEach(() => {
    const toFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] as const;
    vi.useFakeTimers({ toFake: [...toFake], now: Date.now() + 60_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Lets time pass, faster than it does, until the work is done. Files are read and watched for real meanwhile. */
export async function hasten<T>(work: Promise<T>): Promise<T> {
  const progress = { isDone: false };
  const done = (): void => {
    progress.isDone = true;
  };
  work.then(done, done);
  while (!progress.isDone) await step();
  return await work;
}

/** Lets half a second pass. */
export async function halfASecond(): Promise<void> {
  for (let count = 0; count < 5; count++) await step();
}

async function step(): Promise<void> {
  await vi.advanceTimersByTimeAsync(100);
  await new Promise((resolve) => realSetTimeout(resolve, 5));
}
