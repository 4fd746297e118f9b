import { setTimeout } from 'node:timers/promises';

/** How long after the call a change may be made: once it is over, a caller may have been told that there was no answer. */
export const changeSeconds = 1;

export const tooLate: string = `the store got the change more than ${changeSeconds} s after it was asked for, and did not make it`;

/**
 * Makes a change that a later one may undo. A stalled connection may deliver a change long after its caller gave up, when a
 * later change was made over another connection. So each change has a deadline by the clock of the store, and a rejection
 * waits for it: whoever makes another change then has the last word.
 *
 * @param now reads the clock of the store, in milliseconds.
 * @param change makes the change unless the clock of the store has reached the deadline.
 * @param isAnswer whether an error is an answer of the store, so that the change is not on its way any more.
 */
export async function changeInTime<Answer>(
  now: () => Promise<number>,
  change: (deadline: number) => Promise<Answer>,
  isAnswer: (error: unknown) => boolean = () => false,
): Promise<Answer> {
  const askedAt = performance.now();
  const millisecondsLeft = () => changeSeconds * 1000 - (performance.now() - askedAt);
  // The answer may have been on its way for long: what is left counts from the call.
  const deadline = Math.floor((await now()) + millisecondsLeft());
  try {
    return await change(deadline);
  } catch (error) {
    if (!isAnswer(error)) await setTimeout(Math.max(0, millisecondsLeft()));
    throw error;
  }
}
