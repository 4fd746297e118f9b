import { withTimeout } from './with-timeout.js';

/** Calls a part of the application. Rejects if it throws, rejects or takes longer than `seconds`. */
export async function answerInTime<Answer>(seconds: number, ask: () => Answer | Promise<Answer>): Promise<Answer> {
  return await withTimeout(seconds * 1000, Promise.resolve(ask()), () => {
    throw new Error(`no answer within ${seconds} s`);
  });
}
