import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

/** How long work on one list may block the event loop. */
const TURN_MILLISECONDS = 5;

/** Returns a function to await between two items: every 5 ms it yields to the event loop. */
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
