import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';

/** Asks whether the event loop must have its turn: if so, returns a promise to await before the next step. */
export type Turns = () => Promise<void> | undefined;

/** Long work that waits for its turn. One piece of it goes on each time the event loop comes around, whatever its number. */
const waiting: (() => void)[] = [];

function goOn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(goOn);
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(goOn);
  });
}

/**
 * Returns a function to call between two steps of long work, so that all such work of the process together blocks the event
 * loop for 5 ms at most.
 */
export function yieldEvery(milliseconds = 5): Turns {
  let began = performance.now();
  let hasTurn = false;
  let pause: Promise<void> | undefined;
  async function giveWay(): Promise<void> {
    await turn();
    began = performance.now();
    hasTurn = true;
    pause = undefined;
  }
  return () => {
    const mayGoOn = hasTurn || waiting.length === 0;
    if (pause === undefined && mayGoOn && performance.now() - began < milliseconds) return undefined;
    pause ??= giveWay();
    return pause;
  };
}

/** Runs a step for each item. Between two steps the event loop has its turn if it must. */
export async function eachInTurn<Item>(items: Iterable<Item>, turns: Turns, step: (item: Item) => void): Promise<void> {
  for (const item of items) {
    step(item);
    // An await for each of 100,000 items would take a third of the time.
    const pause = turns();
    if (pause !== undefined) await pause;
  }
}
