/** A promise that the test resolves. */
export class Deferred<T = void> {
  #resolve: ((value: T) => void) | undefined;
  readonly promise: Promise<T> = new Promise<T>((resolve) => {
    this.#resolve = resolve;
  });

  readonly resolve = (value: T): void => this.#resolve?.(value);
}
