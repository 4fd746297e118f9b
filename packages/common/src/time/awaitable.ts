/**
 * A value that is here, or comes later because something outside the process was asked. Stages return it, so that a
 * request for which nothing remote is asked makes no promises: each costs time and memory, and there were about 70.
 */
export type Awaitable<Value> = Value | Promise<Value>;

/**
 * Whether a value comes later. By its method and not by its class: an application may replace the global `Promise`, and
 * then the promises of `async` functions are no instances of it.
 */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** Goes on with a value: at once if it is here. */
export function andThen<Value, Result>(
  value: Awaitable<Value>,
  next: (value: Value) => Awaitable<Result>,
): Awaitable<Result> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** The answer of `ask`, or what `failed` makes of an error that it throws or rejects with. */
export function answerOr<Answer, Failure>(
  ask: () => Awaitable<Answer>,
  failed: (error: unknown) => Failure,
): Awaitable<Answer | Failure> {
  try {
    const answer = ask();
    return isPromise(answer) ? answer.then(undefined, failed) : answer;
  } catch (error) {
    return failed(error);
  }
}

/** An answer of a part of the application, whose promises may be of another make. */
export function awaitable<Answer>(answer: Answer | PromiseLike<Answer>): Awaitable<Answer> {
  return isPromise(answer) ? Promise.resolve(answer) : (answer as Answer);
}
