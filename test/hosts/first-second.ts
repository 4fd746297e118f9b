import { setTimeout } from 'node:timers/promises';

/**
 * Resolves once the second in which this process began is over. The replay store in memory refuses what was signed in
 * it, and clients of the tests do not sign anew.
 */
export async function firstSecondIsOver(): Promise<void> {
  const sinceStart = process.uptime() * 1000;
  const leftOfSecond = 1000 - ((Date.now() - sinceStart) % 1000);
  if (sinceStart < leftOfSecond) await setTimeout(Math.ceil(leftOfSecond - sinceStart));
}
