import { type Awaitable, awaitable, isPromise } from './awaitable.js';
import { withTimeout } from './with-timeout.js';

/** A part of the application took too long. The text is ours, so that it may be recorded. */
export class LateAnswer extends Error {
  override readonly name = 'LateAnswer';
}

/**
 * Calls a part of the application. The answer is here at once if the part gave no promise; otherwise it is a promise that
 * rejects if the part does, and becomes the result of `late` if the part takes longer than `seconds`. What the part
 * throws is thrown. Default of `late`: it rejects.
 */
export function answerInTime<Answer, Late = never>(
  seconds: number,
  ask: () => Answer | PromiseLike<Answer>,
  late?: () => Late,
): Awaitable<Answer | Late> {
  const answer = awaitable(ask());
  if (!isPromise(answer)) return answer;
  return withTimeout(seconds * 1000, answer, () => {
    if (late !== undefined) return late();
    throw new LateAnswer(`no answer within ${seconds} s`);
  });
}
