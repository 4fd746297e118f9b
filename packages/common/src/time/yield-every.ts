import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

/** How long work on one list may hold up all other requests. */
const TURN_MILLISECONDS = 5;

/** Call what it returns between two items of a list: it gives way to others once the turn is over. */
export function yieldEvery(): () => Promise<void> {
  let began = performance.now();
  let pause: Promise<void> | undefined;
  async function giveWay(): Promise<void> {
    await setImmediate();
    began = performance.now();
    pause = undefined;
  }
  return async () => {
    if (pause === undefined && performance.now() - began < TURN_MILLISECONDS) return;
    pause ??= giveWay();
    await pause;
  };
}
