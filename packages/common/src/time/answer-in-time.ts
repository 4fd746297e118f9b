import { withTimeout } from './with-timeout.js';

/** What a part of the application answers. Rejects if that part throws, rejects or takes longer than `seconds`. */
export async function answerInTime<Answer>(seconds: number, ask: () => Answer | Promise<Answer>): Promise<Answer> {
  return await withTimeout(seconds * 1000, Promise.resolve(ask()), () => {
    throw new Error(`no answer within ${seconds} s`);
  });
}
