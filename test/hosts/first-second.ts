import { setTimeout } from 'node:timers/promises';

/**
 * Resolves after the first second of this process. The replay store in memory refuses signatures of that second, and
 * the test clients do not sign again.
 */
export async function firstSecondIsOver(): Promise<void> {
  const sinceStart = process.uptime() * 1000;
  const leftOfSecond = 1000 - ((Date.now() - sinceStart) % 1000);
  if (sinceStart < leftOfSecond) await setTimeout(Math.ceil(leftOfSecond - sinceStart));
}
