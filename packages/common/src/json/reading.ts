/** The result of reading input that others wrote. A problem is text for people, never an exception. */
export type Reading<T> = { readonly ok: true; readonly value: T } | FailedReading;

export interface FailedReading {
  readonly ok: false;
  readonly problem: string;
}

export function failed(problem: string): FailedReading {
  return { ok: false, problem };
}
