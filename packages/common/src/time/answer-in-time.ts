import { withTimeout } from './with-timeout.js';

/**
 * Calls a part of the application. Rejects if it throws, rejects or takes longer than `seconds`. An answer that is no
 * promise is in time.
 */
export async function answerInTime<Answer>(seconds: number, ask: () => Answer | Promise<Answer>): Promise<Answer> {
  const answer = ask();
  if (!isThenable(answer)) return answer;
  return await withTimeout(seconds * 1000, Promise.resolve(answer), () => {
    throw new Error(`no answer within ${seconds} s`);
  });
}

export function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value;
}
