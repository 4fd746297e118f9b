import { Attempts, type Awaitable, elapsedSince, type Reading } from '@countersign/common';

/** What is held now. The generation changes whenever the value does. */
export type Held<T> =
  | { readonly kind: 'held'; readonly value: T; readonly generation: number }
  | { readonly kind: 'unavailable'; readonly cause: string };

/** Something that others can change, as we last saw it. */
export interface Source<T> {
  /** What is held, after a refresh if it is due. */
  current(nowSeconds: number): Awaitable<Held<T>>;
  /** The same after something was not found in it, which may mean that it is new there; unavailable if nobody can tell. */
  afterMiss(nowSeconds: number): Awaitable<Held<T>>;
}

/** What came over the network: a JSON value, as it was read. */
type Fetched<Json> = { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly problem: string };

export interface CachedRemoteOptions<T, Json = unknown> {
  readonly fetch: () => Promise<Fetched<Json>>;
  readonly read: (json: Json) => Reading<T>;
  /** How long a fetched value counts without another look. */
  readonly maxAgeSeconds: number;
  /** How long it counts while it cannot be fetched again. */
  readonly maxStaleSeconds: number;
  /** Told of every refresh. It must not throw. */
  readonly onRefresh?: (result: Reading<T>) => void;
}

/**
 * A remote document behind a cache. What its server drops stops counting after `maxAgeSeconds`; what its server cannot
 * be asked about goes on counting for `maxStaleSeconds`. One fetch at a time, started early enough that under steady
 * use nobody waits for it. Never rejects.
 */
export class CachedRemote<T, Json = unknown> implements Source<T> {
  readonly #options: CachedRemoteOptions<T, Json>;
  #held: { readonly value: T; readonly text: string; readonly since: number } | undefined;
  #generation = 0;
  readonly #attempts = new Attempts();

  constructor(options: CachedRemoteOptions<T, Json>) {
    this.#options = options;
  }

  current(now: number): Awaitable<Held<T>> {
    const age = this.#held === undefined ? Infinity : elapsedSince(this.#held.since, now);
    return age <= this.#options.maxAgeSeconds / 2 ? this.#snapshot(now) : this.#refreshed(age, now);
  }

  async #refreshed(age: number, now: number): Promise<Held<T>> {
    const { maxAgeSeconds, maxStaleSeconds } = this.#options;
    // A server that was down a moment ago is asked in the background, so that it does not slow every request.
    const isDown = this.#attempts.isDown(now);
    const refreshed = this.#attempts.run('due', now, this.#refresh);
    if (age > (isDown ? maxStaleSeconds : maxAgeSeconds)) await refreshed;
    return this.#snapshot(now);
  }

  async afterMiss(now: number): Promise<Held<T>> {
    const isDown = this.#attempts.isDown(now);
    const refreshed = this.#attempts.run('miss', now, this.#refresh);
    // Whoever makes names up must not hold requests while the server hangs.
    if (!isDown) await refreshed;
    // It may have been added since: while nobody can look, what is missing is not unknown.
    const { failure } = this.#attempts;
    return failure === undefined ? this.#snapshot(now) : { kind: 'unavailable', cause: failure };
  }

  #snapshot(now: number): Held<T> {
    const held = this.#held;
    if (held === undefined || elapsedSince(held.since, now) > this.#options.maxStaleSeconds) {
      return { kind: 'unavailable', cause: this.#attempts.failure ?? 'it was not fetched in time' };
    }
    return { kind: 'held', value: held.value, generation: this.#generation };
  }

  readonly #refresh = async (now: number): Promise<string | undefined> => {
    const fetched = await this.#options.fetch();
    const read = fetched.ok ? this.#options.read(fetched.json) : fetched;
    if (fetched.ok && read.ok) {
      const text = JSON.stringify(fetched.json);
      if (text !== this.#held?.text) this.#generation += 1;
      this.#held = { value: read.value, text, since: now };
    }
    this.#options.onRefresh?.(read);
    return read.ok ? undefined : read.problem;
  };
}
