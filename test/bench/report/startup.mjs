// The start's part of the page.
import { table } from './tables.mjs';

const STACKS = ['bare', 'guarded'];

/** The best round of each stack, in milliseconds: from the start of the process until it listens. */
export function bestStart({ rounds }) {
  const best = (stack, name) => Math.round(Math.min(...rounds.map((round) => round[stack][name])));
  return Object.fromEntries(STACKS.map((stack) => [stack, { wall: best(stack, 'wall'), cpu: best(stack, 'cpu') }]));
}

export function startTable(startup) {
  const rows = Object.entries(bestStart(startup)).map(([stack, { wall, cpu }]) => [stack, wall, cpu]);
  return table(['Express', 'until it listens, ms', 'CPU of all threads, ms'], rows);
}

/** An aim, as those of `aimsTable`. */
export function startAim(startup) {
  return { aim: 'guarded Express, ms until it listens', atMost: 250, value: bestStart(startup).guarded.wall };
}
